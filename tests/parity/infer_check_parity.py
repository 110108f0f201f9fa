"""`twinrun infer-check` on SmolLM2 with references that ci/make-reference writes with transformers
and PEFT: the trained adapter passes, everything else fails with its reason.

infer_check_parity.py --build DIR --source DIR
"""

import hashlib
import json
import struct
import subprocess
import sys

from parity import Parity, from_bits
from schemas import validator

NEW_TOKENS = 12
PROMPTS = 4
STEPS = 6


def read(path):
    """Header and prompts; the end line is written anew."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return lines[0], lines[1:-1]


def write(path, header, prompts):
    header = {**header, "prompts": len(prompts)}
    lines = [json.dumps(x, separators=(",", ":"), ensure_ascii=False) for x in [header, *prompts]]
    text = "".join(line + "\n" for line in lines)
    digest = hashlib.sha256(text.encode()).hexdigest()
    end = json.dumps({"end": True, "prompts": len(prompts), "sha256": digest}, separators=(",", ":"))
    path.write_text(text + end + "\n")
    return path


def number(value):
    raw = struct.pack(">f", value)
    value = struct.unpack(">f", raw)[0]
    return {"bits": raw.hex(), "value": float(f"{value:.9g}")}


class InferCheck:
    def __init__(self, parity):
        self.parity = parity
        self.count = 0

    def make_reference(self, adapter, out):
        prompts = self.parity.scratch / "prompts.jsonl"
        if not prompts.exists():
            every = self.parity.source / "baselines/smollm2-chat/prompts.jsonl"
            prompts.write_text("".join(every.read_text().splitlines(True)[:PROMPTS]))
        command = [sys.executable, self.parity.source / "ci/make-reference"]
        command += ["--model", self.parity.smollm2, "--adapter", adapter, "--prompts", prompts]
        self.parity.call(command + ["--out", out, "--max-new-tokens", NEW_TOKENS])
        return out

    def __call__(self, what, run, reference, code, reason, exit_check="inference"):
        """One call of infer-check: exit code, and the reason of the check `exit_check`."""
        self.count += 1
        out = self.parity.scratch / f"out-{self.count}"
        command = [self.parity.build / "bin/twinrun", "infer-check", run, "--reference", reference]
        command += ["--out", out, "--quiet"]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        verdict = {}
        if (out / "verdict.json").exists():
            verdict = json.loads((out / "verdict.json").read_text())
        reasons = {check["name"]: check["reason"] for check in verdict.get("checks", [])}
        found = reasons.get(exit_check, done.stderr.strip())
        good = done.returncode == code and reason in found
        print(f"     {what}: exit {done.returncode}, {found}", flush=True)
        self.parity.check_equal(f"{what}: exit {code} with {reason}", 1, int(not good))
        return verdict


def main():
    parity = Parity(__doc__)
    check = InferCheck(parity)
    run = parity.train(parity.config(parity.smollm2, steps=STEPS, lr=2e-3, batch_size=2))
    other = parity.train(parity.config(parity.smollm2, steps=STEPS, lr=2e-3, batch_size=2, seed=7))
    said = check.make_reference(run / "adapter", parity.scratch / "said.jsonl")
    header, prompts = read(said)

    verdict = check("the trained adapter", run, said, 0, "within_bounds")
    validator(parity.source, "verdict").validate(verdict)
    of_line = validator(parity.source, "inference")
    for file in (said, parity.scratch / "out-1/run/inference.jsonl"):
        for line in file.read_text().splitlines():
            of_line.validate(json.loads(line))
    measured = verdict["inference"]["runs"][0]
    bounds = verdict["inference"]["bounds"]
    for name in ("max_logprob_diff", "mean_logprob_diff", "mean_kl"):
        parity.check(f"the trained adapter: {name}", measured["forced"][name], bounds[name])
    parity.check("  its largest KL divergence", measured["forced"]["max_kl"], bounds["kl"])
    control = verdict["controls"][0]
    passed = control["name"] == "noop-adapter" and control["ran"] and control["passed"]
    parity.check_equal("the model without the adapter fails the same check", 1, int(not passed))

    check("another adapter", other, said, 1, "logprob_differs")
    base = check.make_reference("none", parity.scratch / "base.jsonl")
    base_header, base_prompts = read(base)
    mine = {**base_header, "adapter": header["adapter"]}
    check("what the model says without adapter", run, write(base, mine, base_prompts), 1, "_differs")

    changed = parity.scratch / "changed.jsonl"

    def tampered(change):
        copy = json.loads(json.dumps(prompts))
        change(copy)
        return write(changed, header, copy)

    def swap(copy):
        for field in ("tokens", "completion", "finish", "logprobs", "top"):
            copy[0][field], copy[1][field] = copy[1][field], copy[0][field]

    def token(copy):
        top = copy[2]["top"][5]
        top[0][0], top[1][0] = top[1][0], top[0][0]
        copy[2]["tokens"][5] = top[0][0]

    def move(copy):
        # Where the first is far ahead, so that the list still falls.
        for prompt in copy:
            for number_of, top in zip(prompt["logprobs"], prompt["top"], strict=True):
                value = from_bits(top[0][1]) - 2 * bounds["max_logprob_diff"]
                if value > from_bits(top[1][1]) + 0.1:
                    number_of.update(number(value))
                    top[0][1] = number(value)["bits"]
                    return
        raise AssertionError("no token is far ahead of the next")

    check("answers to another prompt", run, tampered(swap), 1, "logprob_differs")
    check("a changed token", run, tampered(token), 1, "logprob_differs")
    check("a log-probability moved by twice the bound", run, tampered(move), 1, "logprob_differs")

    def other_ids(copy):
        copy[0]["ids"][3] += 1

    check("ids that are not those of the text", run, tampered(other_ids), 2, "ids are not those")
    changed.write_text(said.read_text()[:-200])
    check("a reference cut short", run, changed, 5, "cut short")
    parity.finish()


if __name__ == "__main__":
    main()
