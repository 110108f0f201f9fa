"""Writes twinrun's run record (docs/protocol.md) from any PyTorch loop: one file, standard library plus torch.

    recorder = Recorder(config_path, run_dir, trainable, frozen, optimizer)
    recorder.step_zero()
    for number in range(1, recorder.last_step + 1):
        ...                                   # forward, backward of every micro-batch
        recorder.before_update(batch)         # gradient and batch as used, before clipping
        ...                                   # clip, optimizer.step(), scheduler.step()
        recorder.step(loss, samples=ids, tokens=n, loss_tokens=m)
    recorder.finish()

`trainable` and `frozen` map names to tensors; `batch` maps input_ids, labels and attention_mask (or what the
loop has instead) to tensors, or is a list of such, one a micro-batch. `generators` maps names to the
torch.Generators that the loop draws from (default: torch's own), `seeds` names what they were seeded with. A loop
that fails calls `recorder.fail(message)`; used as a context manager, the recorder does that by itself.
"""

import contextlib
import ctypes
import datetime
import hashlib
import json
import math
import os
import platform
import struct
import sys

import torch

LEAF_BYTES = 4096
ENVIRONMENT = (
    "CUBLAS_WORKSPACE_CONFIG", "CUDA_LAUNCH_BLOCKING", "CUDA_VISIBLE_DEVICES", "LD_PRELOAD", "MKL_CBWR",
    "MKL_NUM_THREADS", "NVIDIA_TF32_OVERRIDE", "OMP_NUM_THREADS", "PYTHONHASHSEED", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
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
    return "{" + ",".join(canonical_json(key) + ":" + canonical_json(value[key]) for key in keys) + "}"


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
    return sign + digits[0] + ("." + digits[1:] if count > 1 else "") + f"e{'-' if power < 0 else '+'}{abs(power)}"


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
    whole = sha256(f"{str(tensor.dtype).removeprefix('torch.')}\n{','.join(map(str, tensor.shape))}\n".encode())
    for begin in range(0, len(data), LEAF_BYTES):
        whole.update(sha256(data[begin:begin + LEAF_BYTES]).digest())
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
    return {"bits": struct.pack(">d", value).hex(), "value": Number(f"{value:.17g}") if math.isfinite(value) else None}


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
    names = {torch.float32: "F32", torch.float64: "F64", torch.bfloat16: "BF16", torch.float16: "F16"}
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    blobs = []
    for name, tensor in tensors.items():
        blobs.append(tensor_bytes(tensor))
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + len(blobs[-1])]}
        offset += len(blobs[-1])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


class Recorder:
    def __init__(self, config_path, run_dir, trainable, frozen, optimizer, seeds=None, generators=None,
                 arithmetic=None, digests=None, world_size=1):
        with open(config_path, encoding="utf-8") as file:
            config = json.load(file)
        self.identity, self.launch = config["identity"], config["launch"]
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
            "schema": 1, "run_id": os.urandom(16).hex(), "identity": identity_digest, "status": "running",
            "message": None, "numerics": self.identity["numerics"],
            "promise": "bitwise" if self.bitwise else "none", "arithmetic": arithmetic, "seeds": seeds,
            "switches": self._switches(), "versions": self._versions(), "git": None, "binary": None,
            "device": self._device(),
            "cpu": {"model": platform.processor() or platform.machine(),
                    "isa": torch.backends.cpu.get_cpu_capability(), "threads": torch.get_num_threads()},
            "environment": {name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            "digests": digests, "world_size": world_size, "data": None, "started": self._now(), "ended": None,
            "steps_written": 0, "head": None, "files": {},
        }
        self._write_manifest()
        header = dump({"schema": 1, "identity": identity_digest, "arithmetic": arithmetic,
                       "promise": self.manifest["promise"], "steps": self.steps})
        self.chain = sha256(header.encode()).digest()
        self.file = os.open(self._path("steps.jsonl"), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        self.tensors_file = None
        if self.tensors_every:
            self.tensors_file = os.open(self._path("tensors.jsonl"),
                                        os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        self._write(self.file, header)

    # ---- what a training loop calls ----

    def step_zero(self):
        self._append({"step": 0, "adapter": self._group("adapter", self.trainable),
                      "optimizer": self._group("optimizer", self._optimizer_tensors()),
                      "rng": self._rng(), "base": self._group("base", self.frozen)})

    def before_update(self, batch):
        """Takes gradient, gradient norm, learning rate and batch as they are used in this step."""
        self.number += 1
        gradients = {name: parameter.grad for name, parameter in self.trainable.items()}
        norm = torch.linalg.vector_norm(
            torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients.values()]))
        batches = batch if isinstance(batch, (list, tuple)) else [batch]
        tensors = {(name if len(batches) == 1 else f"{index}.{name}"): tensor
                   for index, part in enumerate(batches) for name, tensor in part.items()}
        self.used = {"grad_norm": norm.item(), "lr": float(self.optimizer.param_groups[0]["lr"]),
                     "batch": self._group("batch", tensors), "grad": self._group("grad", gradients)}

    def step(self, loss, samples, tokens, loss_tokens):
        """Takes the state after the update and writes the line of the step."""
        self._append({
            "step": self.number, "loss": float32(float(loss)), "grad_norm": float32(self.used["grad_norm"]),
            "lr": float64(self.used["lr"]), "tokens": int(tokens), "loss_tokens": int(loss_tokens),
            "samples": list(samples), "batch": self.used["batch"], "grad": self.used["grad"],
            "adapter": self._group("adapter", self.trainable),
            "optimizer": self._group("optimizer", self._optimizer_tensors()), "rng": self._rng()})
        self.used = None

    def finish(self):
        """Saves the adapter, ends the record and says so in the manifest."""
        self._append({"end": True, "steps": self.number, "base": self._group("base", self.frozen, "end")})
        os.fsync(self.file)
        os.makedirs(self._path("adapter"), exist_ok=True)
        save_safetensors(self._path("adapter/adapter_model.safetensors"), self.trainable)
        if self.tensors_file is not None:
            self.manifest["files"]["tensors.jsonl"] = file_digest(self._path("tensors.jsonl"))
        self.manifest["head"] = self.chain.hex()
        self._end("complete", None)

    def fail(self, message, status="failed"):
        self._end(status, message)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if error is not None:
            self.fail(f"{kind.__name__}: {error}", "usage_error" if kind is UsageError else "failed")
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
            data = data[os.write(file, data):]

    def _write_manifest(self):
        write_atomically(self._path("manifest.json"), json.dumps(self.manifest, indent=1, allow_nan=False) + "\n")

    def _end(self, status, message):
        self.manifest.update(status=status, message=message, ended=self._now(), steps_written=self.number)
        self._write_manifest()

    def _append(self, fields):
        line = dump(fields)[:-1]
        self.chain = sha256(self.chain + line.encode()).digest()
        self._write(self.file, f'{line},"chain":"{self.chain.hex()}"}}')

    def _group(self, group, tensors, when=None):
        digests = {name: tensor_digest(tensor) for name, tensor in tensors.items()}
        due = when is None and self.tensors_every and self.number % self.tensors_every == 0
        if due:
            self._write(self.tensors_file, dump({"step": self.number, "group": group,
                                                 "tensors": list(map(list, digests.items()))}))
        return group_digest(digests)

    def _optimizer_tensors(self):
        tensors = {}
        for name, parameter in self.trainable.items():
            state = self.optimizer.state.get(parameter, {})
            tensors.update({f"{name}.{key}": value for key, value in state.items()
                            if isinstance(value, torch.Tensor) and value.dim() > 0})
        return tensors

    def _rng(self):
        states = {name: tensor_digest(generator.get_state()) for name, generator in self.generators.items()}
        if self.device.type == "cuda":
            states["cuda"] = tensor_digest(torch.cuda.get_rng_state(self.device))
        return group_digest(states)

    def _device(self):
        if self.device.type != "cuda":
            return {"type": self.device.type, "name": self.device.type, "sm_count": None, "memory_bytes": None,
                    "uuid_sha256": None}
        properties = torch.cuda.get_device_properties(self.device)
        return {"type": "cuda", "name": properties.name, "sm_count": properties.multi_processor_count,
                "memory_bytes": properties.total_memory,
                "uuid_sha256": sha256(str(properties.uuid).encode()).hexdigest()}

    @staticmethod
    def _switches():
        return {"deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
                "deterministic_warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
                "fill_uninitialized_memory": torch.utils.deterministic.fill_uninitialized_memory,
                "cudnn_benchmark": torch.backends.cudnn.benchmark,
                "cudnn_deterministic": torch.backends.cudnn.deterministic,
                "matmul_tf32": torch.backends.cuda.matmul.allow_tf32, "cudnn_tf32": torch.backends.cudnn.allow_tf32}

    @staticmethod
    def _versions():
        cudnn = nccl = None
        if torch.cuda.is_available():
            cudnn = str(torch.backends.cudnn.version())
            with contextlib.suppress(AttributeError):
                nccl = ".".join(map(str, torch.cuda.nccl.version()))
        return {"twinrun": None, "torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": cudnn,
                "cublas": None, "nccl": nccl, "driver": None, "compiler": None}
