"""eval.jsonl of the fake trainer: docs/protocol.md section 13 for a toy that knows no text.

It answers every row rightly, with a loss that hangs on the adapter. trainer.params make it wrong:

    eval: none       writes no eval.jsonl
    eval_wrong       answers so many of the first rows wrongly
    eval_shift       adds so many nats a token to every loss; nan: makes the first one NaN
    eval_fault_in    the run that both strike in (default: every one)
"""

import hashlib
import json
import math
import os

from fake_digests import number

TOKENS = 4


class Evaluation:
    def __init__(self, config, run_dir, identity):
        self.settings, launch = config["launch"]["evaluation"], config["launch"]
        self.params = config["identity"]["trainer"]["params"]
        self.struck = self.params.get("eval_fault_in", launch["run"]) == launch["run"]
        self.last = launch.get("stop_after") or config["identity"]["train"]["steps"]
        self.every = launch["eval_every"]
        with open(self.settings["path"], "rb") as file:
            data = file.read()
        self.rows = [json.loads(line) for line in data.splitlines()]
        self.path = os.path.join(run_dir, "eval.jsonl")
        self.hash, self.lines = hashlib.sha256(), 0
        self.file = open(self.path, "xb", buffering=0)
        header = {"schema": 1, "format": "twinrun-eval", "identity": identity}
        header |= {"data": hashlib.sha256(data).hexdigest(), "items": len(self.rows)}
        header |= {"every": self.every, "last": self.last}
        header |= {
            key: self.settings[key] for key in ("max_new_tokens", "batch_size", "max_length")
        }
        self.write(dump(header))

    def write(self, line):
        self.hash.update(line.encode() + b"\n")
        self.file.write(line.encode() + b"\n")

    def step(self, step, adapter):
        if step != self.last and (self.every == 0 or step % self.every != 0):
            return
        for index, row in enumerate(self.rows):
            self.write(self.line(step, index, row, adapter))
            self.lines += 1

    def line(self, step, index, row, adapter):
        value = math.fsum(w * math.sin(index + i) for i, w in enumerate(adapter))
        nll = TOKENS * (2 + 0.1 * value)
        shift = self.params.get("eval_shift", 0) if self.struck else 0
        if shift == "nan":
            nll = math.nan if index == 0 else nll
        else:
            nll += TOKENS * shift
        wrong = self.struck and index < self.params.get("eval_wrong", 0)
        answered = self.settings["max_new_tokens"] > 0
        return (
            f'{{"step":{step},"item":{index},"id":{dump(row.get("id", index))},'
            f'"category":{dump(row.get("category"))},"cluster":{dump(row.get("cluster"))},'
            f'"tokens":{TOKENS},'
            f'"nll":{number(nll, "d", 17)},'
            f'"answer":{dump(("no " if wrong else "") + row["response"]) if answered else "null"},'
            f'"reference":{dump(row["response"])},"finish":{dump("stop") if answered else "null"}}}'
        )

    def end(self):
        """The file's digest, for the manifest."""
        digest = self.hash.hexdigest()
        self.write(f'{{"end":true,"lines":{self.lines},"sha256":"{digest}"}}')
        self.file.close()
        with open(self.path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()


def dump(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
