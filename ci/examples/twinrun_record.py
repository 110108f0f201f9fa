"""Writes twinrun's run record (docs/protocol.md) from any PyTorch loop: one file, no package
but torch.

    recorder = Recorder(config_path, run_dir, trainable, frozen, optimizer)
    recorder.step_zero()
    for number in range(1, recorder.last_step + 1):
        ...                                   # forward, backward of every micro-batch
        recorder.before_update(batch)         # gradient and batch as used, before clipping
        ...                                   # clip, optimizer.step(), scheduler.step()
        recorder.step(loss, samples=ids, tokens=n, loss_tokens=m)
        if recorder.evaluation_is_due():
            recorder.evaluation(rows)         # of the held-out file, where the case names one
    recorder.finish()

`trainable` and `frozen` map names to tensors; `batch` maps input_ids, labels and attention_mask
(or what the loop has instead) to tensors, or is a list of such, one a micro-batch. `generators`
maps names to the torch.Generators that the loop draws from (default: torch's own), `seeds` names
what they were seeded with. A loop that fails calls `recorder.fail(message)`; used as a context
manager, the recorder does that by itself.

The Trainer of transformers is recorded by a callback (trainer_callback), with seed_everything for
what it draws from; ci/examples/hf_trainer/ shows both. trainer_main reads the command line that
twinrun starts a trainer with.
"""

import argparse
import contextlib
import ctypes
import datetime
import hashlib
import json
import math
import os
import platform
import random
import struct
import sys

import torch

LEAF_BYTES = 4096
ENVIRONMENT = (
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_VISIBLE_DEVICES",
    "LD_PRELOAD",
    "MKL_CBWR",
    "MKL_NUM_THREADS",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "PYTHONHASHSEED",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)


class UsageError(Exception):
    """The caller can fix it; ends the run with status usage_error and exit code 2."""


# ---- digests (docs/protocol.md, "Digests") ----


def canonical_json(value):
    """RFC 8785 for what a configuration holds."""
    if value is None or isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) > 2**53 - 1:
            raise ValueError(f"integer beyond +-(2^53-1): {value}")
        return str(value)
    if isinstance(value, float):
        return _ecmascript_number(value)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(canonical_json(item) for item in value) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
    return (
        "{" + ",".join(canonical_json(key) + ":" + canonical_json(value[key]) for key in keys) + "}"
    )


def _ecmascript_number(value):
    if not math.isfinite(value):
        raise ValueError("a number is not finite")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    point = len(whole) + int(exponent or 0)
    digits = whole + fraction
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    digits = stripped.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    power = point - 1
    tail = "." + digits[1:] if count > 1 else ""
    return f"{sign}{digits[0]}{tail}e{power:+d}"


def sha256(data):
    return hashlib.sha256(data)


def tensor_bytes(tensor):
    """Little-endian bytes in row-major order."""
    if sys.byteorder != "little":
        raise UsageError("tensors are hashed as little-endian bytes; this machine is big-endian")
    flat = tensor.detach().to("cpu").contiguous()
    size = flat.numel() * flat.element_size()
    return ctypes.string_at(flat.data_ptr(), size) if size else b""


def tensor_digest(tensor):
    data = tensor_bytes(tensor)
    dtype = str(tensor.dtype).removeprefix("torch.")
    whole = sha256(f"{dtype}\n{','.join(map(str, tensor.shape))}\n".encode())
    for begin in range(0, len(data), LEAF_BYTES):
        whole.update(sha256(data[begin : begin + LEAF_BYTES]).digest())
    return whole.hexdigest()


def group_digest(digests):
    """Of a mapping from name to hex digest."""
    lines = sorted((name.encode(), digest.encode()) for name, digest in digests.items())
    return sha256(b"".join(name + b"\n" + digest + b"\n" for name, digest in lines)).hexdigest()


def file_digest(path):
    whole = sha256(b"")
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            whole.update(block)
    return whole.hexdigest()


# ---- lines of the record ----


def float32(value):
    raw = struct.pack(">f", value)
    value = struct.unpack(">f", raw)[0]
    return {"bits": raw.hex(), "value": Number(f"{value:.9g}") if math.isfinite(value) else None}


def float64(value):
    return {
        "bits": struct.pack(">d", value).hex(),
        "value": Number(f"{value:.17g}") if math.isfinite(value) else None,
    }


class Number(str):
    """Digits that go into a line as they are."""


def dump(value):
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(dump(key) + ":" + dump(item) for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(dump(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def write_atomically(path, text):
    temporary = path + ".tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def save_safetensors(path, tensors):
    names = {
        torch.float32: "F32",
        torch.float64: "F64",
        torch.bfloat16: "BF16",
        torch.float16: "F16",
    }
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    blobs = []
    for name, tensor in tensors.items():
        blobs.append(tensor_bytes(tensor))
        header[name] = {
            "dtype": names[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(blobs[-1])],
        }
        offset += len(blobs[-1])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


class Recorder:
    def __init__(
        self,
        config_path,
        run_dir,
        trainable,
        frozen,
        optimizer,
        seeds=None,
        generators=None,
        arithmetic=None,
        digests=None,
        world_size=1,
    ):
        with open(config_path, encoding="utf-8") as file:
            config = json.load(file)
        self.identity, self.launch = config["identity"], config["launch"]
        self.judgement = config["judgement"]
        self.run_dir = run_dir
        self.trainable, self.frozen, self.optimizer = trainable, frozen, optimizer
        self.steps = self.identity["train"]["steps"]
        stop_after = self.launch.get("stop_after")
        self.last_step = self.steps if stop_after is None else stop_after
        self.tensors_every = self.launch.get("record", {}).get("tensors_every", 0)
        self.generators = {"torch": torch.default_generator} if generators is None else generators
        self.number = 0
        self.used = None
        self.bitwise = torch.are_deterministic_algorithms_enabled()
        self.device = next(iter(trainable.values())).device
        identity_digest = sha256(canonical_json(self.identity).encode()).hexdigest()
        if arithmetic is None:
            dtype = str(next(iter(trainable.values())).dtype).removeprefix("torch.")
            arithmetic = f"pytorch-{dtype}/1"
        self.manifest = {
            "schema": 1,
            "run_id": os.urandom(16).hex(),
            "identity": identity_digest,
            "status": "running",
            "message": None,
            "numerics": self.identity["numerics"],
            "promise": "bitwise" if self.bitwise else "none",
            "arithmetic": arithmetic,
            "seeds": seeds,
            "switches": self._switches(),
            "versions": self._versions(),
            "git": None,
            "binary": None,
            "device": self._device(),
            "cpu": {
                "model": platform.processor() or platform.machine(),
                "isa": torch.backends.cpu.get_cpu_capability(),
                "threads": torch.get_num_threads(),
            },
            "environment": {name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            "digests": digests,
            "world_size": world_size,
            "data": None,
            "started": self._now(),
            "ended": None,
            "steps_written": 0,
            "head": None,
            "files": {},
        }
        self.evaluation_file = self.evaluated = None
        self._write_manifest()
        header = dump(
            {
                "schema": 1,
                "identity": identity_digest,
                "arithmetic": arithmetic,
                "promise": self.manifest["promise"],
                "steps": self.steps,
            }
        )
        self.chain = sha256(header.encode()).digest()
        self.file = os.open(
            self._path("steps.jsonl"), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666
        )
        self.tensors_file = None
        if self.tensors_every:
            self.tensors_file = os.open(
                self._path("tensors.jsonl"),
                os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND,
                0o666,
            )
        self._write(self.file, header)

    # ---- what a training loop calls ----

    def step_zero(self):
        self._append(
            {
                "step": 0,
                "adapter": self._group("adapter", self.trainable),
                "optimizer": self._group("optimizer", self._optimizer_tensors()),
                "rng": self._rng(),
                "base": self._group("base", self.frozen),
            }
        )

    def before_update(self, batch, gradients=None):
        """Takes gradient, gradient norm, learning rate and batch as they are used in this step.

        `gradients` maps the names of `trainable` to gradients; without it they are those of the
        parameters, which therefore must not be clipped yet.
        """
        self.number += 1
        if gradients is None:
            gradients = {name: parameter.grad for name, parameter in self.trainable.items()}
        norm = torch.linalg.vector_norm(
            torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients.values()])
        )
        batches = batch if isinstance(batch, (list, tuple)) else [batch]
        tensors = {
            (name if len(batches) == 1 else f"{index}.{name}"): tensor
            for index, part in enumerate(batches)
            for name, tensor in part.items()
        }
        self.used = {
            "grad_norm": norm.item(),
            "lr": float(self.optimizer.param_groups[0]["lr"]),
            "batch": self._group("batch", tensors),
            "grad": self._group("grad", gradients),
        }

    def step(self, loss, samples, tokens, loss_tokens):
        """Takes the state after the update and writes the line of the step."""
        self._append(
            {
                "step": self.number,
                "loss": float32(float(loss)),
                "grad_norm": float32(self.used["grad_norm"]),
                "lr": float64(self.used["lr"]),
                "tokens": int(tokens),
                "loss_tokens": int(loss_tokens),
                "samples": list(samples),
                "batch": self.used["batch"],
                "grad": self.used["grad"],
                "adapter": self._group("adapter", self.trainable),
                "optimizer": self._group("optimizer", self._optimizer_tensors()),
                "rng": self._rng(),
            }
        )
        self.used = None

    def evaluation_is_due(self):
        """Whether the case asks for an evaluation after the step that was written last."""
        if "evaluation" not in self.launch or self.number == 0:
            return False
        every = self.launch.get("eval_every", 0)
        return self.number == self.last_step or (every > 0 and self.number % every == 0)

    def evaluation(self, rows):
        """Writes an evaluation of the held-out file, all its rows in their order, to eval.jsonl.

        A row is a mapping of `id`, `category` and `cluster` (or None), `tokens` (labelled ones),
        `nll` (sum of their negative log-likelihoods in nats), `reference`, and where
        launch.evaluation asks for answers `answer` and `finish` (stop or length).
        docs/protocol.md, section 13.
        """
        if self.evaluation_file is None:
            self._begin_evaluation(len(rows))
        for index, row in enumerate(rows):
            line = dump(
                {
                    "step": self.number,
                    "item": index,
                    "id": row["id"],
                    "category": row.get("category"),
                    "cluster": row.get("cluster"),
                    "tokens": int(row["tokens"]),
                    "nll": float64(float(row["nll"])),
                    "answer": row.get("answer"),
                    "reference": row["reference"],
                    "finish": row.get("finish"),
                }
            )
            self.evaluated[0] += 1
            self.evaluated[1].update(line.encode() + b"\n")
            self._write(self.evaluation_file, line)

    def finish(self):
        """Saves the adapter, ends the record and says so in the manifest."""
        self._append(
            {"end": True, "steps": self.number, "base": self._group("base", self.frozen, "end")}
        )
        os.fsync(self.file)
        os.makedirs(self._path("adapter"), exist_ok=True)
        save_safetensors(self._path("adapter/adapter_model.safetensors"), self.trainable)
        if self.tensors_file is not None:
            self.manifest["files"]["tensors.jsonl"] = file_digest(self._path("tensors.jsonl"))
        if self.evaluation_file is not None:
            self._end_evaluation()
        self.manifest["head"] = self.chain.hex()
        self._end("complete", None)

    def fail(self, message, status="failed"):
        self._end(status, message)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if error is not None:
            self.fail(
                f"{kind.__name__}: {error}", "usage_error" if kind is UsageError else "failed"
            )
        return False

    # ---- how it is done ----

    def _path(self, name):
        return os.path.join(self.run_dir, name)

    @staticmethod
    def _now():
        return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    @staticmethod
    def _write(file, line):
        data = line.encode() + b"\n"
        while data:
            data = data[os.write(file, data) :]

    def _write_manifest(self):
        write_atomically(
            self._path("manifest.json"), json.dumps(self.manifest, indent=1, allow_nan=False) + "\n"
        )

    def _end(self, status, message):
        self.manifest.update(
            status=status, message=message, ended=self._now(), steps_written=self.number
        )
        self._write_manifest()

    def _append(self, fields):
        line = dump(fields)[:-1]
        self.chain = sha256(self.chain + line.encode()).digest()
        self._write(self.file, f'{line},"chain":"{self.chain.hex()}"}}')

    def _begin_evaluation(self, items):
        launch, judged = self.launch["evaluation"], self.judgement["evaluation"]
        header = dump(
            {
                "schema": 1,
                "format": "twinrun-eval",
                "identity": self.manifest["identity"],
                "data": judged["sha256"],
                "items": items,
                "every": self.launch.get("eval_every", 0),
                "last": self.last_step,
                "max_new_tokens": launch["max_new_tokens"],
                "batch_size": launch["batch_size"],
                "max_length": launch["max_length"],
            }
        )
        self.evaluation_file = os.open(
            self._path("eval.jsonl"), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666
        )
        self.evaluated = [0, sha256(header.encode() + b"\n")]  # lines, and what they hash to
        self._write(self.evaluation_file, header)

    def _end_evaluation(self):
        lines, hasher = self.evaluated
        self._write(
            self.evaluation_file, dump({"end": True, "lines": lines, "sha256": hasher.hexdigest()})
        )
        os.fsync(self.evaluation_file)
        self.manifest["files"]["eval.jsonl"] = file_digest(self._path("eval.jsonl"))

    def _group(self, group, tensors, when=None):
        digests = {name: tensor_digest(tensor) for name, tensor in tensors.items()}
        due = when is None and self.tensors_every and self.number % self.tensors_every == 0
        if due:
            self._write(
                self.tensors_file,
                dump(
                    {
                        "step": self.number,
                        "group": group,
                        "tensors": list(map(list, digests.items())),
                    }
                ),
            )
        return group_digest(digests)

    def _optimizer_tensors(self):
        tensors = {}
        for name, parameter in self.trainable.items():
            state = self.optimizer.state.get(parameter, {})
            tensors.update(
                {
                    f"{name}.{key}": value
                    for key, value in state.items()
                    if isinstance(value, torch.Tensor) and value.dim() > 0
                }
            )
        return tensors

    def _rng(self):
        states = {
            name: tensor_digest(generator.get_state())
            for name, generator in self.generators.items()
        }
        if self.device.type == "cuda":
            states["cuda"] = tensor_digest(torch.cuda.get_rng_state(self.device))
        return group_digest(states)

    def _device(self):
        if self.device.type != "cuda":
            return {
                "type": self.device.type,
                "name": self.device.type,
                "sm_count": None,
                "memory_bytes": None,
                "uuid_sha256": None,
            }
        properties = torch.cuda.get_device_properties(self.device)
        return {
            "type": "cuda",
            "name": properties.name,
            "sm_count": properties.multi_processor_count,
            "memory_bytes": properties.total_memory,
            "uuid_sha256": sha256(str(properties.uuid).encode()).hexdigest(),
        }

    @staticmethod
    def _switches():
        return {
            "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
            "deterministic_warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
            "fill_uninitialized_memory": torch.utils.deterministic.fill_uninitialized_memory,
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
            "cudnn_deterministic": torch.backends.cudnn.deterministic,
            "matmul_tf32": torch.backends.cuda.matmul.allow_tf32,
            "cudnn_tf32": torch.backends.cudnn.allow_tf32,
        }

    @staticmethod
    def _versions():
        cudnn = nccl = None
        if torch.cuda.is_available():
            cudnn = str(torch.backends.cudnn.version())
            with contextlib.suppress(AttributeError):
                nccl = ".".join(map(str, torch.cuda.nccl.version()))
        return {
            "twinrun": None,
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "cudnn": cudnn,
            "cublas": None,
            "nccl": nccl,
            "driver": None,
            "compiler": None,
        }


# ---- the command line of a trainer ----


def trainer_main(train, description):
    """What `twinrun` starts: `train(config_path, run_dir)`; returns the exit code by its end."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("command", choices=["train"])
    parser.add_argument("config")
    parser.add_argument("--run-dir", required=True)
    arguments = parser.parse_args()
    try:
        train(arguments.config, arguments.run_dir)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except Exception as error:  # the recorder has written the status; the judge reads the exit code
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 3
    return 0


# ---- the Trainer of transformers ----


def seed_everything(seed):
    """Seeds Python, NumPy (if it is there), torch and every GPU; returns what torch was seeded with.

    NumPy takes 32 bits only, so it gets the low ones.
    """
    random.seed(seed)
    with contextlib.suppress(ImportError):
        import numpy

        numpy.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)
    return torch.initial_seed()


class _Library:
    """The generator of a library other than torch, as far as a record needs it."""

    def __init__(self, state):
        self.state = state

    def get_state(self):
        return torch.frombuffer(bytearray(repr(self.state()).encode()), dtype=torch.uint8)


def library_generators():
    """All that a Hugging Face loop draws from: Python, NumPy and torch (a GPU's is added)."""
    generators = {"torch": torch.default_generator, "python": _Library(random.getstate)}
    with contextlib.suppress(ImportError):
        import numpy

        def numpy_state():
            kind, keys, *rest = numpy.random.get_state()
            return kind, keys.tolist(), rest

        generators["numpy"] = _Library(numpy_state)
    return generators


def trainer_callback(config_path, run_dir, seeds, digests=None):
    """A TrainerCallback that records what a transformers Trainer does to a PEFT model.

        callback = trainer_callback(config_path, run_dir, seeds)
        trainer = Trainer(model, ..., callbacks=[callback])
        with callback:
            trainer.train()

    The loss is that of the model's own forward, summed over the micro-batches of a step where the
    Trainer divides by the labels of the whole step, else averaged: not the logged one, which is an
    average too, and passes over NaN. Gradients are taken as backward leaves them, before the
    Trainer clips. A sample's id is the first 16 hex digits of the SHA-256 of its input ids. A stop
    that the judge asks for ends the training after that step. One process, one GPU.
    """
    from transformers import TrainerCallback

    class Callback(TrainerCallback):
        def __init__(self):
            self.recorder = None
            self.batches, self.losses, self.gradients = [], [], {}
            self.handles = []

        # ---- around trainer.train() ----

        def __enter__(self):
            return self

        def __exit__(self, kind, error, traceback):
            for handle in self.handles:
                handle.remove()
            if error is not None and self.recorder is not None:
                self.recorder.__exit__(kind, error, traceback)
            return False

        # ---- what torch calls ----

        def _took(self, module, args, kwargs, output):
            if not module.training:
                return
            batch = {name: value for name, value in kwargs.items() if torch.is_tensor(value)}
            self.whole_step = batch.pop("num_items_in_batch", None) is not None
            self.batches.append({name: value.detach().clone() for name, value in batch.items()})
            self.losses.append(output.loss.detach().float())

        def _accumulated(self, name):
            def keep(parameter):
                self.gradients[name] = parameter.grad.detach().clone()

            return keep

        # ---- what the Trainer calls ----

        def on_train_begin(self, args, state, control, model=None, optimizer=None, **rest):
            named = list(model.named_parameters())
            trainable = {_saved_name(name): value for name, value in named if value.requires_grad}
            frozen = {name: value for name, value in named if not value.requires_grad}
            self.recorder = Recorder(
                config_path,
                run_dir,
                trainable,
                frozen,
                optimizer,
                seeds,
                library_generators(),
                digests=digests,
                world_size=args.world_size,
            )
            if args.world_size != 1 or args.n_gpu > 1:
                raise UsageError("the callback records one process on one device")
            self.handles.append(model.register_forward_hook(self._took, with_kwargs=True))
            for name, value in trainable.items():
                keep = self._accumulated(name)
                self.handles.append(value.register_post_accumulate_grad_hook(keep))
            self.recorder.step_zero()

        def on_pre_optimizer_step(self, args, state, control, **rest):
            missing = [name for name in self.recorder.trainable if name not in self.gradients]
            if missing:
                raise RuntimeError(f"no gradient of {missing[0]} in step {state.global_step + 1}")
            self.recorder.before_update(self.batches, self.gradients)

        def on_optimizer_step(self, args, state, control, **rest):
            losses = torch.stack(self.losses)
            labels = [batch["labels"] for batch in self.batches]
            masks = [
                batch.get("attention_mask", torch.ones_like(batch["input_ids"]))
                for batch in self.batches
            ]
            self.recorder.step(
                (losses.sum() if self.whole_step else losses.mean()).item(),
                samples=[_content_id(row) for batch in self.batches for row in batch["input_ids"]],
                tokens=sum(int(mask.sum()) for mask in masks),
                loss_tokens=sum(int((label[:, 1:] != -100).sum()) for label in labels),
            )
            self.batches, self.losses, self.gradients = [], [], {}
            if self.recorder.number >= self.recorder.last_step:
                control.should_training_stop = True

        def on_train_end(self, args, state, control, model=None, **rest):
            if self.recorder.number < self.recorder.last_step:
                raise RuntimeError(f"the Trainer stopped after step {self.recorder.number}")
            self.recorder.finish()
            for config in getattr(model, "peft_config", {}).values():
                config.save_pretrained(os.path.join(run_dir, "adapter"))

    return Callback()


def _saved_name(name):
    """As PEFT names a tensor in adapter_model.safetensors: without the adapter's own name."""
    return name.replace(".default.", ".")


def _content_id(row):
    return sha256(row.to("cpu", torch.int64).numpy().tobytes()).hexdigest()[:16]
