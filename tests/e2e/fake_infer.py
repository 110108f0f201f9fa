"""`infer` of the fake trainer: docs/protocol.md section 10 for a model of letters.

The next letter hangs on the last two and on the adapter's B, so that a trained adapter, none, and
another one say different things. trainer.params plant what may go wrong:

    infer_noise     moves every log-probability a little, as another order of summation would: how
                    many millionths at most
    infer_shift     moves them much: a drift that is the same in every run
    infer_fault     what else is wrong: see `spoil`, `ignore-adapter`, `fail`, `usage`, `crash`
    infer_fault_in  the run that it is planted in (default: every one, noop-adapter too)
"""

import hashlib
import json
import math
import os
import signal
import struct
import sys

import fake_trainer as toy

LETTERS = "abcdefghijklmnopqrstuvwxyz ."
END = len(LETTERS) - 1


class Model:
    def __init__(self, b, params):
        self.b = b
        self.noise = params.get("infer_noise", 0) * 1e-6
        self.shift = params.get("infer_shift", 0)

    def logprobs(self, prefix):
        last, before = prefix[-1], prefix[-2] if len(prefix) > 1 else 0
        logits = []
        for i in range(len(LETTERS)):
            own = sum(b * math.cos((j + 1) * (i + 1) + last) for j, b in enumerate(self.b))
            logit = 2 * math.sin(1 + 1.7 * i + 0.9 * last + 0.4 * before) + 40 * own
            logit += self.shift * math.sin(5 * i) + self.noise * math.sin(11 * i + last)
            logits.append(logit)
        most = max(logits)
        whole = most + math.log(math.fsum(math.exp(x - most) for x in logits))
        return [toy.f32(min(x - whole, 0)) for x in logits]


def read_adapter(folder):
    with open(os.path.join(folder, "adapter_model.safetensors"), "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    adapter = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        begin, end = entry["data_offsets"]
        raw = data[8 + size + begin : 8 + size + end]
        adapter[name] = list(struct.unpack(f"<{len(raw) // 4}f", raw))
    return adapter


def read_prompts(path):
    prompts = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file):
            prompt = json.loads(line)
            text = prompt["prompt"]
            ids = [LETTERS.index(letter) for letter in text]
            prompts.append({"id": prompt.get("id", number), "text": text, "ids": ids})
    return prompts


def read_reference(path):
    with open(path, "rb") as file:
        data = file.read()
    lines = [json.loads(line) for line in data.decode().split("\n")[1:-2]]
    for line in lines:
        if [LETTERS.index(letter) for letter in line["text"]] != line["ids"]:
            raise toy.UsageError(
                f"{path}: prompt {line['prompt']}: its ids are not those of its text"
            )
    return lines, hashlib.sha256(data).hexdigest()


def bits(value):
    return struct.pack(">f", value).hex()


def number(value):
    return json.loads(toy.number(value, "f", 9))


def ranked(logprobs):
    return sorted(range(len(logprobs)), key=lambda i: (-logprobs[i], i))


def forced(model, reference):
    result = {"logprobs": [], "best": [], "top": []}
    prefix = list(reference["ids"])
    for token, top in zip(reference["tokens"], reference["top"]):
        logprobs = model.logprobs(prefix)
        best = ranked(logprobs)[0]
        result["logprobs"].append(number(logprobs[token]))
        result["best"].append([best, bits(logprobs[best])])
        result["top"].append([bits(logprobs[i]) for i, _ in top])
        prefix.append(token)
    return result


def generate(model, prompt, settings):
    prefix, tokens, logprobs, top = list(prompt["ids"]), [], [], []
    while len(tokens) < settings["max_new_tokens"] and END not in tokens:
        all_of_them = model.logprobs(prefix)
        order = ranked(all_of_them)
        tokens.append(order[0])
        prefix.append(order[0])
        logprobs.append(number(all_of_them[order[0]]))
        top.append([[i, bits(all_of_them[i])] for i in order[: settings["top"]]])
    return {
        **prompt,
        "tokens": tokens,
        "completion": "".join(LETTERS[i] for i in tokens if i != END),
        "finish": "stop" if END in tokens else "length",
        "logprobs": logprobs,
        "top": top,
    }


def spoil(fault, lines):
    """Outputs that are wrong, as the lines of prompts."""
    if fault == "nan":
        lines[1]["logprobs"][0] = {"bits": "7fc00000", "value": None}
    if fault == "ulp":
        first = lines[0]["top"][2][0]
        value = toy.next_up(struct.unpack(">f", bytes.fromhex(first[1]))[0])
        first[1], lines[0]["logprobs"][2] = bits(value), number(value)
    if fault == "missing-prompt":
        del lines[1]
    if fault == "swapped-prompts":
        lines[0]["text"], lines[1]["text"] = lines[1]["text"], lines[0]["text"]


def write(path, header, lines, fault):
    body = [json.dumps(line, separators=(",", ":")) + "\n" for line in [header, *lines]]
    text = "".join(body).encode()
    end = {"end": True, "prompts": len(lines), "sha256": hashlib.sha256(text).hexdigest()}
    text += json.dumps(end, separators=(",", ":")).encode() + b"\n"
    if fault == "truncated":
        text = text[: len(text) // 2]
    with open(path + ".new", "wb") as file:
        file.write(text)
    os.replace(path + ".new", path)
    return hashlib.sha256(text).hexdigest()


def options_of(args):
    names = args[1::2]
    assert set(names) <= {"--run-dir", "--adapter", "--prompts", "--reference"}, names
    return dict(zip(names, args[2::2]))


def infer(config, options):
    identity, launch = config["identity"], config["launch"]
    settings, params = launch["inference"], identity["trainer"]["params"]
    run_dir = options["--run-dir"]
    only = params.get("infer_fault_in", launch["run"])
    fault = params.get("infer_fault") if only == launch["run"] else None
    if fault == "usage":
        raise toy.UsageError("no such prompt")
    if fault == "fail":
        raise RuntimeError("out of memory")
    if fault == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    adapter = toy.Toy(identity["seeds"], toy.Faults([])).adapter
    if options.get("--adapter") != "none":
        adapter = read_adapter(options.get("--adapter", os.path.join(run_dir, "adapter")))
    model = Model([0.0] * 8 if fault == "ignore-adapter" else adapter[toy.LORA_B], params)
    reference, digest = None, None
    if "--reference" in options:
        reference, digest = read_reference(options["--reference"])
    prompts = read_prompts(options["--prompts"]) if "--prompts" in options else reference
    lines = []
    for index, prompt in enumerate(prompts):
        asked = {"prompt": index, "id": prompt["id"], "text": prompt["text"], "ids": prompt["ids"]}
        line = generate(model, asked, settings)
        line["forced"] = forced(model, reference[index]) if reference else None
        lines.append(line)
    if fault == "fewer-prompts":
        lines.pop()
    header = {
        "schema": 1,
        "format": "twinrun-inference",
        "made_by": {"program": "fake_trainer", "versions": {}},
        "promise": params.get("promise", "bitwise"),
        "numerics": identity["numerics"],
        "arithmetic": "fake-float32/1",
        "platform": {},
        "dtype": "float32",
        "model": params.get("infer_model", {"letters": LETTERS}),
        "tokenizer": params.get("infer_tokenizer", {"letters": LETTERS}),
        "adapter": toy.group_digest(toy.group_of(adapter)),
        "prompts": len(lines),
        "max_new_tokens": settings["max_new_tokens"],
        "batch_size": settings["batch_size"],
        "top": settings["top"],
        "reference": digest,
    }
    spoil(fault, lines)
    written = write(os.path.join(run_dir, "inference.jsonl"), header, lines, fault)
    manifest = os.path.join(run_dir, "manifest.json")
    if os.path.exists(manifest):
        with open(manifest, encoding="utf-8") as file:
            content = json.load(file)
        content.setdefault("files", {})["inference.jsonl"] = written
        toy.write_manifest(run_dir, content)


def main(args):
    with open(args[0], encoding="utf-8") as file:
        config = json.load(file)
    try:
        infer(config, options_of(args))
        return 0
    except (toy.UsageError, KeyError, ValueError) as error:
        print(f"fake trainer: {error}", file=sys.stderr)
        return 2
    except Exception as error:  # whatever it is, the call has failed and says so
        print(f"fake trainer: {error}", file=sys.stderr)
        return 3
