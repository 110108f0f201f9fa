"""A stand-in for a trainer: speaks docs/protocol.md and plants the faults of docs/faults.md.

Standard library only. It fits a toy: y = x + B A (mask * x) towards fixed targets, in doubles
rounded to float32 wherever something is recorded or kept, so a run takes milliseconds and repeats.

trainer.params of the case make it misbehave in ways that are no faults of docs/faults.md:
  usage_error: TEXT   ends as usage_error    fail: TEXT      ends as failed, TEXT on stderr
  exit_code: N        exits with N           promise: none   what the header promises
  step_seconds: S     sleeps S a step        record: none    no steps.jsonl; empty: an empty one
  manifest: none      never writes one       adapter: none   saves none
  pad_tensors: N      N bytes more a line of tensors.jsonl (to fill a disk)
  tell_pid: true      prints its process id
  ignore_signals: true                       SIGINT and SIGTERM do nothing to it
  tell_surroundings: true                    prints TZ, LC_ALL, PYTHONHASHSEED
  noise_ppm: N  promises no bits: losses and gradients are off by up to N millionths, as
                launch.shuffle_reductions says, or without it in another way in each run
  infer_*: what `infer` does wrong: fake_infer.py; eval*: what held-out rows come to: fake_eval.py
"""

import hashlib
import json
import math
import os
import signal
import struct
import sys
import time

sys.dont_write_bytecode = True  # this folder is in the source tree

from fake_digests import (  # noqa: E402
    canonical_digest,
    f32,
    float_digest,
    group_digest,
    next_up,
    number,
    tensor_digest,
    uniform,
)

LORA_A = "base_model.model.layers.0.self_attn.q_proj.lora_A.weight"
LORA_B = "base_model.model.layers.0.self_attn.q_proj.lora_B.weight"
BASE = "model.embed_tokens.weight"
SHAPES = {LORA_A: (2, 4), LORA_B: (4, 2), BASE: (6, 4)}
SAMPLES, BATCH = 20, 4


def group_of(tensors):
    """(name, digest) of tensors whose name ends, but for `.exp_avg*`, in that of a known shape."""
    named = []
    for name, values in tensors.items():
        shape = SHAPES[name.removesuffix(".exp_avg").removesuffix(".exp_avg_sq")]
        named.append((name, float_digest(shape, values)))
    return named


class Faults:
    """launch.inject: which kind strikes at which step."""

    KINDS = set(
        "seed data-order skip-batch dropout-unseeded lr loss-ulp grad-ulp adapter-ulp base-bit nan "
        "drop-line truncate constant crash hang stderr-commands".split()
    )

    def __init__(self, texts):
        self.steps = {}
        for text in texts:
            kind, step = text.split("@")
            if kind not in self.KINDS:
                raise UsageError(f"unknown fault {kind}")
            self.steps[kind] = int(step)
            if kind != "constant" and (int(step) == 0) != (kind == "seed"):
                raise UsageError(f"{kind} cannot be planted at step {step}")

    def at(self, kind, step):
        return self.steps.get(kind) == step

    def since(self, kind, step):
        return kind in self.steps and step >= self.steps[kind]


class Noise:
    """What a trainer that promises no bits adds to its sums."""

    def __init__(self, size, seed):
        self.size = size
        self.seed = int.from_bytes(os.urandom(6), "big") if seed is None else seed

    def factor(self, *place):
        return 1 + self.size * (2 * uniform("noise", self.seed, *place) - 1) if self.size else 1


class UsageError(Exception):
    pass


class Record:
    """steps.jsonl and tensors.jsonl, appended line by line; docs/protocol.md sections 3 and 4."""

    def __init__(self, run_dir, header, pad):
        self.path = os.path.join(run_dir, "steps.jsonl")
        self.steps = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        tensors = os.path.join(run_dir, "tensors.jsonl")
        self.tensors = os.open(tensors, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        self.pad = pad
        self.write(self.steps, header)
        self.chain = hashlib.sha256(header.encode()).digest()

    @staticmethod
    def write(fd, line):
        data = line.encode() + b"\n"
        if os.write(fd, data) != len(data):
            raise OSError("short write")

    def line(self, body, leave_out=False):
        """Chains `body` on; a line that is left out leaves no trace in the chain."""
        if leave_out:
            return
        self.chain = hashlib.sha256(self.chain + body.encode()).digest()
        self.write(self.steps, f'{body},"chain":"{self.chain.hex()}"}}')

    def group(self, step, group, named):
        body = json.dumps({"step": step, "group": group, "tensors": named}, separators=(",", ":"))
        self.write(self.tensors, body + " " * self.pad)

    def truncate(self, step):
        """Cuts steps.jsonl in the middle of a step's line."""
        with open(self.path, "rb") as file:
            lines = file.read().split(b"\n")
        keep = sum(len(line) + 1 for line in lines[: step + 1]) + len(lines[step + 1]) // 2
        os.truncate(self.path, keep)


class Toy:
    def __init__(self, seeds, faults, noise=None):
        self.seeds, self.faults = dict(seeds), faults
        self.noise = noise or Noise(0, 0)
        self.drawn = 0
        init = [f32(uniform("a", seeds["lora_init"], i) - 0.5) for i in range(8)]
        self.adapter = {LORA_A: init, LORA_B: [0.0] * 8}
        if "constant" in faults.steps:
            self.adapter = {LORA_A: [0.0] * 8, LORA_B: [0.0] * 8}
        self.moments = {}
        for name in self.adapter:
            self.moments[name + ".exp_avg"] = [0.0] * 8
            self.moments[name + ".exp_avg_sq"] = [0.0] * 8
        self.base = {BASE: [f32(uniform("base", i) - 0.5) for i in range(24)]}

    def samples(self, step):
        if self.faults.since("skip-batch", step):
            step += 1
        first = (step - 1) * BATCH
        epoch, position = first // SAMPLES, first % SAMPLES
        order = sorted(range(SAMPLES), key=lambda i: uniform(self.seeds["shuffle"], epoch, i))
        return order[position : position + BATCH]

    def dropout_divisor(self, step, sample, i):
        """Of element i of a sample; without a seed any number, as two masks of so few elements are
        often the same by chance."""
        if self.faults.since("dropout-unseeded", step):
            return 0.9 + int.from_bytes(os.urandom(6), "big") / 2**48
        return 0.9 if uniform("mask", self.seeds["dropout"], step, sample, i) >= 0.1 else 1000

    def gradient(self, step, samples):
        """Loss of the batch and its gradient by tensor; row 0 of the base is used by no sample."""
        a, b = self.adapter[LORA_A], self.adapter[LORA_B]
        losses, grads = [], {LORA_A: [[] for _ in range(8)], LORA_B: [[] for _ in range(8)]}
        for sample in samples:
            row = 4 * (1 + sample % 5)
            x = [
                value / self.dropout_divisor(step, sample, j)
                for j, value in enumerate(self.base[BASE][row : row + 4])
            ]
            hidden = [math.fsum(a[4 * i + j] * x[j] for j in range(4)) for i in range(2)]
            error = [
                x[k] + b[2 * k] * hidden[0] + b[2 * k + 1] * hidden[1] - uniform("y", sample, k)
                for k in range(4)
            ]
            losses.append(math.fsum(e * e for e in error) / 4)
            for i in range(2):
                back = math.fsum(b[2 * k + i] * error[k] for k in range(4))
                for j in range(4):
                    grads[LORA_A][4 * i + j].append(back * x[j])
                for k in range(4):
                    grads[LORA_B][2 * k + i].append(error[k] * hidden[i])
        scale = 1 / len(samples)
        loss = f32(math.fsum(losses) * scale * self.noise.factor("loss", step))
        if self.faults.at("nan", step):
            loss, scale = math.nan, math.nan
        return loss, {
            name: [
                f32(math.fsum(g) * scale * self.noise.factor(name, step, i))
                for i, g in enumerate(of_tensor)
            ]
            for name, of_tensor in grads.items()
        }

    def update(self, grads, lr, scale):
        for name, values in self.adapter.items():
            first, second = self.moments[name + ".exp_avg"], self.moments[name + ".exp_avg_sq"]
            for i, gradient in enumerate(grads[name]):
                gradient *= scale
                first[i] = f32(0.9 * first[i] + 0.1 * gradient)
                second[i] = f32(0.999 * second[i] + 0.001 * gradient * gradient)
                values[i] = f32(values[i] - lr * first[i] / (math.sqrt(second[i]) + 1e-8))

    def step(self, step, steps):
        """One optimizer step: the line without its chain, the groups by tensor."""
        samples = self.samples(step)
        if self.faults.at("data-order", step):
            samples[0], samples[1] = samples[1], samples[0]
        loss, grads = self.gradient(step, samples)
        if self.faults.at("grad-ulp", step):
            grads[LORA_A][0] = next_up(grads[LORA_A][0])
        norm = f32(math.sqrt(math.fsum(g * g for gs in grads.values() for g in gs)))
        lr = 0.01 * (1 - (step - 1) / steps)
        if self.faults.since("lr", step):
            lr *= 1.01
        if "constant" in self.faults.steps:
            samples, loss, norm, lr = list(range(BATCH)), 1.0, 1.0, 0.001
            grads = {name: [0.0] * 8 for name in grads}
        else:
            self.update(grads, lr, min(1.0, 1.0 / (norm + 1e-6)) if norm == norm else norm)
        if self.faults.at("adapter-ulp", step):
            self.adapter[LORA_A][0] = next_up(self.adapter[LORA_A][0])
        if self.faults.at("loss-ulp", step):
            loss = next_up(loss)
        self.drawn += 4 * len(samples)
        groups = {
            "grad": group_of(grads),
            "adapter": group_of(self.adapter),
            "optimizer": group_of(self.moments),
        }
        ids = struct.pack(f"<{len(samples)}q", *samples)
        batch = group_digest([("input_ids", tensor_digest("int64", (len(samples), 1), ids))])
        body = (
            f'{{"step":{step},"loss":{number(loss, "f", 9)},"grad_norm":{number(norm, "f", 9)},'
            f'"lr":{number(lr, "d", 17)},"tokens":{len(samples)},"loss_tokens":{len(samples)},'
            f'"samples":{json.dumps(samples, separators=(",", ":"))},"batch":"{batch}",'
            f'"grad":"{group_digest(groups["grad"])}",'
            f'"adapter":"{group_digest(groups["adapter"])}",'
            f'"optimizer":"{group_digest(groups["optimizer"])}","rng":"{self.rng()}"'
        )
        if self.faults.at("base-bit", step):
            bits = struct.unpack("<I", struct.pack("<f", self.base[BASE][0]))[0] ^ 1
            self.base[BASE][0] = struct.unpack("<f", struct.pack("<I", bits))[0]
        return body, groups

    def rng(self):
        seed = 0 if "constant" in self.faults.steps else self.seeds["dropout"]
        return hashlib.sha256(f"{seed}/{self.drawn}".encode()).hexdigest()

    def state(self):
        return (
            f'{{"step":0,"adapter":"{group_digest(group_of(self.adapter))}",'
            f'"optimizer":"{group_digest(group_of(self.moments))}","rng":"{self.rng()}",'
            f'"base":"{self.base_digest()}"'
        )

    def base_digest(self):
        return group_digest(group_of(self.base))


def save_adapter(run_dir, adapter):
    header, data = {}, b""
    for name, values in adapter.items():
        packed = struct.pack(f"<{len(values)}f", *values)
        offsets = [len(data), len(data) + len(packed)]
        header[name] = {"dtype": "F32", "shape": SHAPES[name], "data_offsets": offsets}
        data += packed
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    folder = os.path.join(run_dir, "adapter")
    os.mkdir(folder)
    with open(os.path.join(folder, "adapter_model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def write_manifest(run_dir, manifest):
    path = os.path.join(run_dir, "manifest.json")
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(manifest, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


def utc_now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def disturb(faults, step):
    """The faults that strike before a step's line is written."""
    if faults.at("crash", step):
        os.kill(os.getpid(), signal.SIGKILL)
    while faults.at("hang", step):
        time.sleep(3600)
    if faults.at("stderr-commands", step):
        for stream in (sys.stdout, sys.stderr):
            print("::error::x", "::add-mask::y", "::set-output name=z::1", sep="\n", file=stream)


def train(config, run_dir, manifest, params):
    identity, launch = config["identity"], config["launch"]
    faults = Faults(launch["inject"])
    if "seed" in faults.steps:
        for name in manifest["seeds"]:
            manifest["seeds"][name] += 1
    if "usage_error" in params:
        raise UsageError(params["usage_error"])
    if "fail" in params:
        raise RuntimeError(params["fail"])
    if params.get("record") == "none":
        return
    if params.get("record") == "empty":
        open(os.path.join(run_dir, "steps.jsonl"), "wb").close()
        return
    steps = identity["train"]["steps"]
    header = json.dumps(
        {
            "schema": 1,
            "identity": manifest["identity"],
            "arithmetic": "fake-float32/1",
            "promise": params.get("promise", "none" if "noise_ppm" in params else "bitwise"),
            "steps": steps,
        },
        separators=(",", ":"),
    )
    record = Record(run_dir, header, params.get("pad_tensors", 0))
    noise = Noise(params.get("noise_ppm", 0) / 1e6, launch.get("shuffle_reductions"))
    toy = Toy(manifest["seeds"], faults, noise)
    record.line(toy.state())
    record.group(0, "base", group_of(toy.base))
    last = launch.get("stop_after") or steps
    evaluation = None
    if "evaluation" in launch and params.get("eval") != "none":
        from fake_eval import Evaluation  # here, so that a copy can train without it

        evaluation = Evaluation(config, run_dir, manifest["identity"])
    for step in range(1, last + 1):
        disturb(faults, step)
        time.sleep(params.get("step_seconds", 0))
        body, groups = toy.step(step, steps)
        for group, named in groups.items():
            record.group(step, group, named)
        record.line(body, leave_out=faults.at("drop-line", step))
        if evaluation is not None:
            evaluation.step(step, toy.adapter[LORA_A] + toy.adapter[LORA_B])
    record.line(f'{{"end":true,"steps":{last},"base":"{toy.base_digest()}"')
    manifest["head"] = record.chain.hex()
    with open(os.path.join(run_dir, "tensors.jsonl"), "rb") as file:
        manifest["files"] = {"tensors.jsonl": hashlib.sha256(file.read()).hexdigest()}
    if evaluation is not None:
        manifest["files"]["eval.jsonl"] = evaluation.end()
    if params.get("adapter") != "none":
        save_adapter(run_dir, toy.adapter)
    if "truncate" in faults.steps and faults.steps["truncate"] <= last:
        record.truncate(faults.steps["truncate"])


def main(args):
    if args[0] == "infer":
        from fake_infer import main as infer  # which takes what it needs from here

        return infer(args[1:])
    command, config_path, _, run_dir = [*args, None][:4]
    with open(config_path, encoding="utf-8") as file:
        config = json.load(file)
    if command != "train":
        import fake_bench  # here, so that a copy can train without it

        return fake_bench.answer(command, config, run_dir)
    identity, params = config["identity"], config["identity"].get("trainer", {}).get("params", {})
    manifest = {
        "schema": 1,
        "run_id": os.urandom(16).hex(),
        "identity": canonical_digest(identity),
        "seeds": dict(identity["seeds"]),
        "numerics": identity["numerics"],
        "status": "running",
        "started": utc_now(),
    }
    keep = params.get("manifest") != "none"
    if keep:
        write_manifest(run_dir, manifest)
    if params.get("ignore_signals"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if params.get("tell_pid"):
        print(os.getpid(), flush=True)
    if params.get("tell_surroundings"):
        for name in ("TZ", "LC_ALL", "PYTHONHASHSEED"):
            print(f"{name}={os.environ.get(name)}")
    try:
        train(config, run_dir, manifest, params)
        manifest["status"] = "complete"
        code = params.get("exit_code", 0)
    except UsageError as error:
        manifest.update(status="usage_error", message=str(error))
        code = 2
    except Exception as error:  # whatever it is, the run has failed and says so
        manifest.update(status="failed", message=str(error))
        print(f"fake trainer: {error}", file=sys.stderr)
        code = 3
    manifest["ended"] = utc_now()
    if keep:
        write_manifest(run_dir, manifest)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
