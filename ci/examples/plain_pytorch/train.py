"""A small LoRA-like training loop in plain PyTorch, on the CPU, that speaks twinrun's run protocol.

    train.py train CONFIG.json --run-dir DIR

A frozen two-layer network predicts the next token of made-up sequences; two low-rank updates are
trained. Nothing of twinrun is needed but the one file twinrun_record.py beside this folder.
"""

import json
import os
import sys

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from twinrun_record import Recorder, UsageError, trainer_main  # noqa: E402

VOCABULARY, WIDTH, LENGTH, SAMPLES = 32, 48, 12, 64
DEFAULTS = {"rank": 4, "lr": 0.02, "batch_size": 8, "dropout": 0.1, "max_grad_norm": 1.0}


def generator(seed):
    return torch.Generator().manual_seed(seed)


def make_data():
    """Sequences that count upwards by a stride of their own; the same in every run."""
    start = torch.arange(SAMPLES).unsqueeze(1) * 5
    stride = torch.arange(SAMPLES).unsqueeze(1) % 6 + 1
    return (start + stride * torch.arange(LENGTH)) % VOCABULARY


class LoraLinear(torch.nn.Module):
    """A frozen weight, the same in every run, and a low-rank update, its A drawn from `init`."""

    def __init__(self, outputs, inputs, rank, weight_seed, init):
        super().__init__()
        weight = torch.randn(outputs, inputs, generator=generator(weight_seed)) / inputs**0.5
        self.weight = torch.nn.Parameter(weight, requires_grad=False)
        self.lora_a = torch.nn.Parameter(
            (torch.rand(rank, inputs, generator=init) * 2 - 1) / inputs**0.5
        )
        self.lora_b = torch.nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, x, keep):
        return x @ self.weight.T + (x * keep) @ self.lora_a.T @ self.lora_b.T


class Model(torch.nn.Module):
    def __init__(self, rank, init):
        super().__init__()
        self.up = LoraLinear(WIDTH, VOCABULARY, rank, 1, init)
        self.down = LoraLinear(VOCABULARY, WIDTH, rank, 2, init)

    def forward(self, ids, masks):
        x = torch.nn.functional.one_hot(ids, VOCABULARY).float()
        return self.down(torch.tanh(self.up(x, masks[0])), masks[1])


def batches(count, size, order):
    """Sample ids of each step: a new permutation every epoch, what does not fill a step dropped."""
    while True:
        permutation = torch.randperm(count, generator=order)
        yield from permutation[: count - count % size].view(-1, size)


def dropout_masks(size, rate, source):
    shapes = ((size, LENGTH - 1, VOCABULARY), (size, LENGTH - 1, WIDTH))
    return [(torch.rand(shape, generator=source) >= rate).float() / (1 - rate) for shape in shapes]


def train(config_path, run_dir):
    with open(config_path, encoding="utf-8") as file:
        config = json.load(file)
    identity, launch = config["identity"], config["launch"]
    params = DEFAULTS | identity.get("trainer", {}).get("params", {})
    torch.use_deterministic_algorithms(identity["numerics"] != "fast", warn_only=False)
    if launch.get("threads"):
        torch.set_num_threads(launch["threads"])
    generators = {name: generator(seed) for name, seed in identity["seeds"].items()}
    model = Model(params["rank"], generators["lora_init"])
    trainable = {name: value for name, value in model.named_parameters() if value.requires_grad}
    frozen = {name: value for name, value in model.named_parameters() if not value.requires_grad}
    optimizer = torch.optim.AdamW(trainable.values(), lr=params["lr"], weight_decay=0.0)
    seeds = {name: source.initial_seed() for name, source in generators.items()}
    with Recorder(
        config_path, run_dir, trainable, frozen, optimizer, seeds, generators
    ) as recorder:
        if not 1 <= params["batch_size"] <= SAMPLES:
            raise UsageError(f"batch_size is {params['batch_size']}, there are {SAMPLES} samples")
        loop(model, optimizer, recorder, params, generators)


def loop(model, optimizer, recorder, params, generators):
    data = make_data()
    order = batches(SAMPLES, params["batch_size"], generators["shuffle"])
    recorder.step_zero()
    for _ in range(recorder.last_step):
        ids = next(order)
        batch = {"input_ids": data[ids][:, :-1], "labels": data[ids][:, 1:]}
        logits = model(
            batch["input_ids"], dropout_masks(len(ids), params["dropout"], generators["dropout"])
        )
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch["labels"].flatten())
        optimizer.zero_grad()
        loss.backward()
        recorder.before_update(batch)
        torch.nn.utils.clip_grad_norm_(model.parameters(), params["max_grad_norm"])
        optimizer.step()
        tokens = batch["labels"].numel()
        recorder.step(loss.item(), samples=ids.tolist(), tokens=tokens, loss_tokens=tokens)
    recorder.finish()


if __name__ == "__main__":
    sys.exit(trainer_main(train, "plain PyTorch example of a twinrun trainer"))
