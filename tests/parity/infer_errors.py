"""What ci/make-reference and `twinrun-train infer` say to bad input where there is a tokenizer:
exit code 2, a message that names the thing, nothing written."""

import hashlib
import json
import shutil
import subprocess
import sys

from safetensors.torch import load_file, save_file

from parity import Parity


class Refusals:
    def __init__(self, parity):
        self.parity, self.count, self.wrong = parity, 0, 0
        self.model = parity.tiny_model("model", tied=False, vocab_size=49152)
        self.run = parity.train(parity.config(self.model))
        self.prompts = self.file("prompts.jsonl", '{"prompt":"Hello"}\n{"prompt":"And you?"}\n')

    def file(self, name, text):
        path = self.parity.scratch / name
        path.write_text(text)
        return path

    def adapter(self, name, *, tensors=None, config=None, size=None):
        """A copy of the run's adapter with something changed."""
        folder = self.parity.scratch / name
        shutil.copytree(self.run / "adapter", folder)
        file = folder / "adapter_model.safetensors"
        if tensors:
            save_file(tensors(load_file(file)), file)
        if config:
            path = folder / "adapter_config.json"
            path.write_text(json.dumps(json.loads(path.read_text()) | config))
        if size:
            file.write_bytes(file.read_bytes()[:size])
        return folder

    def expect(self, what, command, out):
        """`command` ends with 2, its message holds `what`, and `out` is what it was."""
        before = out.read_bytes() if out.exists() else None
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        after = out.read_bytes() if out.exists() else None
        good = done.returncode == 2 and what in done.stderr and before == after
        good = good and "Traceback" not in done.stderr
        self.count += 1
        self.wrong += not good
        if not good:
            print(f"FAIL {what!r}: exit {done.returncode}, {done.stderr.strip()[-300:]}")

    def reference(self, what, **changed):
        """make-reference with some of its flags changed; None leaves one out."""
        out = self.parity.scratch / "reference.jsonl"
        flags = {"model": self.model, "adapter": self.run / "adapter", "prompts": self.prompts}
        flags |= {"out": out, "max-new-tokens": 2, "batch-size": 2} | changed
        command = [sys.executable, self.parity.source / "ci/make-reference"]
        for name, value in flags.items():
            command += [f"--{name}", value]
        if what is None:
            self.parity.call(command)
        else:
            self.expect(what, command, out)
        return out

    def infer(self, what, *flags):
        command = [self.parity.build / "bin/twinrun-train", "infer", self.run / "config.json"]
        self.expect(what, [*command, "--run-dir", self.run, *flags], self.run / "inference.jsonl")


def rename_one(tensors):
    name = sorted(tensors)[3]
    tensors[name.replace("layers.0", "layers.7")] = tensors.pop(name)
    return tensors


def drop_one(tensors):
    tensors.pop(sorted(tensors)[3])
    return tensors


def bad_references(test):
    test.reference("is missing", adapter=test.adapter("dropped", tensors=drop_one))
    renamed = test.adapter("renamed", tensors=rename_one)
    test.reference("gate_proj.lora_B.weight is missing", adapter=renamed)
    test.reference("size mismatch", adapter=test.adapter("rank", config={"r": 4}))
    test.reference("adapter_config.json", adapter=test.parity.scratch)
    test.reference("cut", adapter=test.adapter("cut", size=5000))
    cut = test.parity.scratch / "cut-model"
    shutil.copytree(test.model, cut)
    weights = cut / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    test.reference("cut-model", model=cut)
    test.reference("no config.json", model=test.parity.scratch)
    test.reference("--device tpu", device="tpu")
    test.reference("--device cuda:77", device="cuda:77")
    test.reference("--top 50000 is more than the vocab_size 49152", top=50000)
    test.reference("no such folder", out=test.parity.scratch / "nowhere/reference.jsonl")
    test.reference("must be at least 1", top=0)
    test.reference("No such file", prompts=test.parity.scratch / "none.jsonl")


def bad_prompts(test):
    long = json.dumps({"prompt": "word " * 600})
    ends = {"messages": [{"role": "assistant", "content": "a"}]}
    lines = {
        '{"prompt":5}': "no string",
        "[]": "not a JSON object",
        '{"prompt":': "not JSON",
        '{"prompt":"a","response":"b"}': "'response'; a prompt ends",
        '{"prompt":"a","output":"b"}': "'output'; a prompt ends",
        '{"ids":[1],"output":"b"}': "'output'; a prompt ends",
        '{"instruction":"a"}': "has 'instruction'; template chatml takes",
        '{"prompt":"a","input":"b"}': "has 'input'; template chatml takes",
        '{"prompt":"a","instruction":"b"}': "has 'instruction'; template chatml takes",
        '{"ids":[49152]}': "outside the model's vocab_size",
        '{"ids":[]}': "no token",
        '{"id":0,"prompt":"a"}': "has the id of line 1",
        '{"id":[],"prompt":"a"}': "an id",
        json.dumps(ends): "nothing to answer",
        long: "max_position_embeddings 512",
    }
    for line, what in lines.items():
        path = test.file("bad.jsonl", '{"prompt":"Hello"}\n' + line + "\n")
        if line == long:  # one prompt alone, since ours checks lengths after all lines
            path = test.file("bad.jsonl", line + "\n")
        else:
            test.reference("bad.jsonl:2: ", prompts=path)
            test.infer("bad.jsonl:2: ", "--prompts", path)
        test.infer(what, "--prompts", path)
        test.reference(what, prompts=path)
    empty = test.file("empty.jsonl", "")
    test.infer("has no prompts", "--prompts", empty)
    test.reference("has no prompts", prompts=empty)


def bad_texts(test):
    """A reference that holds, whose ids are not those of its text."""
    lines = test.reference(None).read_text().splitlines(keepends=True)
    outputs = [json.loads(line) for line in lines[1:-1]]
    outputs[1]["text"] = outputs[1]["text"].replace("And", "But")
    body = lines[0] + "".join(
        json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n" for one in outputs
    )
    digest = hashlib.sha256(body.encode()).hexdigest()
    path = test.file("text.jsonl", body + f'{{"end":true,"prompts":2,"sha256":"{digest}"}}\n')
    test.infer("prompt 1: its ids are not those that this tokenizer has", "--reference", path)


def bad_tokenizers(test):
    """Files of the tokenizer that are not those of the identity."""
    late = test.model / "tokenizer.model"
    late.write_bytes(b"x")
    test.infer("was not there when the case was resolved", "--prompts", test.prompts)
    late.unlink()
    file = test.model / "tokenizer.json"
    kept = file.read_bytes()
    file.unlink()  # it may be a link
    file.write_bytes(kept + b" ")
    test.infer("changed since the case was resolved", "--prompts", test.prompts)
    file.unlink()
    test.infer("it was there when the case was resolved", "--prompts", test.prompts)
    file.write_bytes(kept)


def main():
    parity = Parity(__doc__)
    test = Refusals(parity)
    bad_references(test)
    bad_prompts(test)
    bad_texts(test)
    bad_tokenizers(test)
    # Ids are taken by a model with a tokenizer, too: this must not be refused.
    ids = test.file("ids.jsonl", '{"ids":[1,2,3]}\n')
    command = [parity.build / "bin/twinrun-train", "infer", test.run / "config.json"]
    parity.call([*command, "--run-dir", test.run, "--prompts", ids])
    output = json.loads((test.run / "inference.jsonl").read_text().splitlines()[1])
    assert output["text"] is None and isinstance(output["completion"], str)
    parity.check_equal("refusals", test.count, test.wrong)
    parity.finish()


if __name__ == "__main__":
    main()
