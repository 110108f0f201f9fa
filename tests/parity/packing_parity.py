"""Packed rows: twenty steps against PEFT's with a block mask, samples alone, and a resumed run."""

import json

import torch
from transformers import LlamaForCausalLM

from parity import Parity, from_bits, read_steps
from train_parity import IGNORE, LOSS_BOUND, STEPS
from train_parity import compare, load_samples, loss_sum, make_batch

RECORDS = ("steps.jsonl", "tensors.jsonl", "adapter/adapter_model.safetensors")


def check_alone(parity, folder, config, samples):
    """The first step's loss, B being zero: the mean over its samples, each one alone."""
    step = read_steps(parity.train(config))[0]
    base = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    total, count = 0.0, 0
    with torch.no_grad():
        for name in step["samples"]:
            batch = make_batch([samples[name]], 0)
            total += loss_sum(base, batch).item()
            count += int((batch["labels"][:, 1:] != IGNORE).sum())
    train = config["identity"]["train"]
    rows = train["batch_size"] * train["gradient_accumulation"]
    assert len(step["samples"]) > rows, f"{len(step['samples'])} samples in {rows} rows"
    parity.check_equal("packed: labelled tokens", count, int(step["loss_tokens"] != count))
    loss = from_bits(step["loss"]["bits"])
    parity.check(
        f"packed: loss of {len(step['samples'])} samples in {rows} rows against samples alone",
        abs(loss - total / count) / loss,
        LOSS_BOUND,
    )


def check_resumed(parity, config):
    """Crashed at step 9 and resumed from step 6: the same bytes."""
    config["launch"]["checkpoint_every"] = 3
    whole = parity.train(config)
    stopped = parity.scratch / "stopped"
    stopped.mkdir()
    config["launch"]["inject"] = ["crash@9"]
    command = [parity.build / "bin/twinrun-train", "train", stopped / "config.json"]
    command += ["--run-dir", stopped]
    (stopped / "config.json").write_text(json.dumps(config, sort_keys=True) + "\n")
    assert parity.exit_code(command) != 0
    config["launch"]["inject"] = []
    (stopped / "config.json").write_text(json.dumps(config, sort_keys=True) + "\n")
    parity.call([*command, "--resume"])
    assert json.loads((stopped / "manifest.json").read_text())["resumed"][0]["step"] == 6
    unlike = [(whole / file).read_bytes() != (stopped / file).read_bytes() for file in RECORDS]
    parity.check_equal("packed: files of a run that was stopped and resumed", len(unlike), sum(unlike))


def main():
    parity = Parity(__doc__)
    samples = load_samples(parity.chat, parity.smollm2)
    folder = parity.tiny_model("random", tied=False, vocab_size=49152)
    config = parity.config(
        folder,
        seed=5,
        rank=4,
        steps=STEPS,
        batch_size=2,
        accumulation=2,
        lr=1e-3,
        warmup_steps=2,
        max_length=200,
        packing=True,
    )
    check_alone(parity, folder, config, samples)
    check_resumed(parity, config)
    compare(parity, "packed, accumulating", folder, samples, config, ("deterministic", "portable"))
    config = parity.config(
        folder, steps=STEPS, batch_size=3, max_length=160, packing=True, use_rslora=True
    )
    compare(parity, "packed", folder, samples, config)
    parity.finish()


if __name__ == "__main__":
    main()
