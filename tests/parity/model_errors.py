"""What twinrun-train says to a model folder whose parts do not fit: exit code 2, file and field."""

import json
import shutil
import subprocess

import torch
from safetensors.torch import load_file, save_file

from parity import Parity


class Refusals:
    def __init__(self, parity):
        self.parity, self.count, self.wrong = parity, 0, 0
        self.model = parity.tiny_model("model", tied=True, vocab_size=49152)

    def expect(self, wanted, *, config=None, tensors=None):
        """A copy of the model with something changed ends with 2 and all of `wanted`."""
        folder = self.parity.scratch / f"bad-{self.count}"
        shutil.copytree(self.model, folder)
        if config:
            path = folder / "config.json"
            path.write_text(json.dumps(json.loads(path.read_text()) | config))
        if tensors:
            file = folder / "model.safetensors"
            save_file(tensors(load_file(file)), file)
        run = self.parity.scratch / f"run-bad-{self.count}"
        run.mkdir()
        (run / "config.json").write_text(
            json.dumps(self.parity.config(folder), sort_keys=True, separators=(",", ":")) + "\n"
        )
        done = subprocess.run(
            [self.parity.build / "bin/twinrun-train", "train", run / "config.json"]
            + ["--run-dir", run],
            capture_output=True,
            text=True,
        )
        status = json.loads((run / "manifest.json").read_text())["status"]
        good = done.returncode == 2 and all(part in done.stderr for part in wanted)
        good = good and status == "usage_error"
        self.count += 1
        self.wrong += not good
        if not good:
            print(f"FAIL {wanted}: exit {done.returncode}, {status}, {done.stderr.strip()[-300:]}")


def longer_embedding(tensors):
    name = "model.embed_tokens.weight"
    return tensors | {name: torch.cat([tensors[name], tensors[name][:8]])}


def other_dtype(tensors):
    name = "model.norm.weight"
    return tensors | {name: tensors[name].to(torch.float64)}


def main():
    parity = Parity(__doc__)
    test = Refusals(parity)
    embedding = "tensor 'model.embed_tokens.weight' has shape"
    test.expect(
        ["model.safetensors", f"{embedding} [49152, 96], config.json asks for [49160, 96]"],
        config={"vocab_size": 49160},
    )
    test.expect(
        ["model.safetensors", f"{embedding} [49160, 96], config.json asks for [49152, 96]"],
        tensors=longer_embedding,
    )
    test.expect(
        ["tokenizer.json", "largest id 49151", "vocab_size 49000"], config={"vocab_size": 49000}
    )
    test.expect(
        ["model.safetensors", "tensor 'model.norm.weight' has dtype F64"], tensors=other_dtype
    )
    test.expect(["config.json", "field 'model_type' is \"qwen2\""], config={"model_type": "qwen2"})
    test.expect(
        ["config.json", "field 'rope_parameters.rope_type' is \"yarn\""],
        config={"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0}},
    )
    mistral = {"model_type": "mistral", "architectures": ["MistralForCausalLM"]}
    test.expect(
        ["config.json", "field 'sliding_window' is 0"], config=mistral | {"sliding_window": 0}
    )
    parity.check_equal("refusals", test.count, test.wrong)
    parity.finish()


if __name__ == "__main__":
    main()
