"""What the parity tests share: models, run configurations, and runs of our programs."""

import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM
from transformers.utils import logging

MODEL_FILES = ("config.json", "model.safetensors.index.json")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")

# Of 8 frequencies of a head of 16 at theta 50000 all three kinds: kept, between, slowed.
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 256,
}
WINDOW = 12  # of the random Mistral: shorter than the inputs here


class Parity:
    """A parity test: where our programs are, a scratch folder, the figures that were measured."""

    def __init__(self, description):
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--build", type=pathlib.Path, required=True, help="build folder")
        parser.add_argument("--source", type=pathlib.Path, required=True, help="source tree")
        arguments = parser.parse_args()
        self.build = arguments.build
        self.source = arguments.source
        self.smollm2 = arguments.source / ".cache/models/smollm2-135m-instruct"
        self.chat = arguments.source / ".cache/data/chat.jsonl"
        if not self.smollm2.is_dir() or not self.chat.is_file():
            sys.exit(f"no {self.smollm2}: run baselines/smollm2-chat/fetch.py first")
        self._scratch = tempfile.TemporaryDirectory(prefix="twinrun-parity-")
        self.scratch = pathlib.Path(self._scratch.name)
        self.failures = 0
        logging.disable_progress_bar()

    def check(self, what, measured, bound):
        """One figure against its bound. Written as the claim, so that NaN fails."""
        ok = measured <= bound
        self.failures += not ok
        print(f"{'ok  ' if ok else 'FAIL'} {what}: {measured:.3g} (bound {bound:.3g})", flush=True)

    def check_equal(self, what, count, differing):
        """`differing` of `count` things differ; none may, and there must be some."""
        ok = count > 0 and differing == 0
        self.failures += not ok
        print(f"{'ok  ' if ok else 'FAIL'} {what}: {differing} of {count} differ", flush=True)

    def finish(self):
        sys.exit(1 if self.failures else 0)

    def train(self, config):
        """Runs twinrun-train with `config`; returns the run folder."""
        run = self.scratch / f"run-{len(list(self.scratch.glob('run-*')))}"
        run.mkdir()
        text = json.dumps(config, sort_keys=True, separators=(",", ":")) + "\n"
        (run / "config.json").write_text(text)
        self.call(
            [self.build / "bin/twinrun-train", "train", run / "config.json", "--run-dir", run]
        )
        return run

    def logits(self, model, input_ids, adapter=None):
        """Our float32 logits [B, T, V] of `input_ids` [B, T]."""
        return self.logits_and_tables(model, input_ids, adapter)["logits"]

    def logits_and_tables(self, model, input_ids, adapter=None, segments=()):
        """`logits`, and the rotary tables `cos` and `sin` [T, E]; segments: (begin, length)."""
        ids = self.scratch / "ids.json"
        out = self.scratch / "logits.safetensors"
        ids.write_text(json.dumps({"input_ids": input_ids.tolist(), "segments": list(segments)}))
        command = [self.build / "tests/logits_tool", model, ids, out, "--dtype", "float32"]
        self.call(command + (["--adapter", adapter] if adapter else []))
        return load_file(out)

    @staticmethod
    def exit_code(command):
        return subprocess.run([str(part) for part in command], capture_output=True).returncode

    @staticmethod
    def call(command):
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stderr}")

    def tiny_model(
        self,
        name,
        *,
        tied,
        dtype=torch.float32,
        vocab_size=512,
        shard_size="5GB",
        rope=None,
        window=None,
    ):
        """A random Llama with grouped-query attention, saved as a Hugging Face folder.

        `rope` scales its rotary frequencies; with a `window` it is a Mistral. Norm weights are
        random too and the others larger than at a usual start, so that logits of several units
        come out and a weight that is left out shows.
        """
        torch.manual_seed(7)
        family = LlamaConfig if window is None else MistralConfig
        config = family(
            vocab_size=vocab_size,
            hidden_size=96,
            intermediate_size=160,
            num_hidden_layers=3,
            num_attention_heads=6,
            num_key_value_heads=2,
            head_dim=16,
            rms_norm_eps=1e-5,
            max_position_embeddings=512,
            tie_word_embeddings=tied,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=2,
            rope_parameters={"rope_theta": 50000.0} | (rope or {"rope_type": "default"}),
            **({} if window is None else {"sliding_window": window}),
        )
        model = (LlamaForCausalLM if window is None else MistralForCausalLM)(config)
        with torch.no_grad():
            for parameter in model.parameters():
                noise = torch.randn_like(parameter)
                parameter.copy_(1 + 0.3 * noise if parameter.dim() == 1 else 0.12 * noise)
        folder = self.scratch / name
        model.to(dtype).save_pretrained(folder, max_shard_size=shard_size)
        for file in TOKENIZER_FILES:
            (folder / file).write_bytes((self.smollm2 / file).read_bytes())
        return folder

    def families(self, **options):
        """name -> folder of a random model of every kind but the plain Llama."""
        return {
            "llama3 rope scaling, float16 in shards": self.tiny_model(
                "llama3",
                tied=False,
                dtype=torch.float16,
                shard_size="200KB",
                rope=LLAMA3_ROPE,
                **options,
            ),
            "llama3 rope scaling, tied": self.tiny_model(
                "llama3-tied", tied=True, rope=LLAMA3_ROPE, **options
            ),
            f"Mistral, window {WINDOW}": self.tiny_model(
                "mistral", tied=False, window=WINDOW, **options
            ),
        }

    def config(
        self,
        model,
        *,
        seed=42,
        dtype="float32",
        rank=8,
        steps=1,
        batch_size=1,
        accumulation=1,
        lr=2e-4,
        weight_decay=0.0,
        schedule="cosine",
        warmup_steps=0,
        max_length=64,
        packing=False,
        use_rslora=False,
        init=None,
    ):
        """config.json of a run over the chat data, without dropout; docs/protocol.md section 2."""
        weights = [path.name for path in model.glob("*.safetensors")]
        lora = {"rank": rank, "alpha": 2 * rank, "dropout": 0, "target_modules": "all-linear"}
        lora |= {"use_rslora": True} if use_rslora else {}
        lora |= {"init": digests(init, ADAPTER_FILES)} if init else {}
        paths = {"model": str(model), "data": str(self.chat)}
        return {
            "identity": {
                "schema": 1,
                "model": {"dtype": dtype, "files": digests(model, [*MODEL_FILES, *weights])},
                "tokenizer": {"files": digests(model, TOKENIZER_FILES)},
                "data": {
                    "sha256": file_digest(self.chat),
                    "template": "chatml",
                    "max_length": max_length,
                    "loss_on": "response",
                }
                | ({"packing": True} if packing else {}),
                "lora": lora,
                "train": {
                    "steps": steps,
                    "batch_size": batch_size,
                    "gradient_accumulation": accumulation,
                    "max_grad_norm": 1,
                    "optimizer": {
                        "name": "adamw",
                        "lr": lr,
                        "beta1": 0.9,
                        "beta2": 0.999,
                        "eps": 1e-8,
                        "weight_decay": weight_decay,
                    },
                    "schedule": {"name": schedule, "warmup_steps": warmup_steps},
                },
                "seed": seed,
                "seeds": {
                    "lora_init": seed,
                    "dropout": derived_seed("dropout", seed),
                    "shuffle": derived_seed("shuffle", seed),
                },
                "numerics": "deterministic",
            },
            "judgement": {
                "schema": 1,
                "verify": {"runs": 2, "controls": True, "step_timeout_s": 600},
            },
            "launch": {
                "name": "parity",
                "case": str(self.scratch / "case.yaml"),
                "run": "a",
                "command": [],
                "paths": paths | ({"adapter": str(init)} if init else {}),
                "device": "cpu",
                "threads": os.cpu_count(),
                "isa": "auto",
                "record": {"tensors_every": 1},
                "eval_every": 0,
                "checkpoint_every": 0,
                "stop_after": None,
                "inject": [],
                "nuisance": {
                    "tz": "UTC",
                    "locale": "C",
                    "umask": "022",
                    "hash_seed": 0,
                    "gpu_memory_offset_mb": 0,
                },
            },
        }


def file_digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digests(folder, names):
    return {name: file_digest(folder / name) for name in names if (folder / name).is_file()}


def derived_seed(name, seed):
    digest = hashlib.sha256(f"twinrun/1/{name}/{seed}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 11


def read_steps(run):
    """The steps of steps.jsonl, from step 1."""
    lines = [json.loads(line) for line in (run / "steps.jsonl").read_text().splitlines()]
    return [line for line in lines if line.get("step", 0) > 0]


def from_bits(text):
    """The number whose bits a record gives in hex: float32 or float64 by their length."""
    integer, real = {8: (torch.int32, torch.float32), 16: (torch.int64, torch.float64)}[len(text)]
    value = int(text, 16)
    signed = value - (1 << 4 * len(text)) if value >> (4 * len(text) - 1) else value
    return torch.tensor(signed, dtype=integer).view(real).item()


def tensor_digest(tensor):
    """docs/protocol.md's digest of a tensor, by hashlib alone."""
    tensor = tensor.contiguous().cpu()
    shape = ",".join(map(str, tensor.shape))
    whole = hashlib.sha256(f"{str(tensor.dtype).removeprefix('torch.')}\n{shape}\n".encode())
    data = tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
    for start in range(0, len(data), 4096):
        whole.update(hashlib.sha256(data[start : start + 4096]).digest())
    return whole.hexdigest()


def group_digest(tensors):
    """docs/protocol.md's digest of named tensors."""
    lines = sorted(
        f"{name}\n{tensor_digest(tensor)}\n".encode() for name, tensor in tensors.items()
    )
    return hashlib.sha256(b"".join(lines)).hexdigest()
