"""The real `twinrun verify` on the example of transformers' Trainer, recorded by its callback.

hf_trainer_parity.py --twinrun PROGRAM --source DIR
"""

import json
import os
import struct
import sys
import tempfile
import unittest

from real_twinrun import ARGUMENTS, copy_example, example, main, verify
from schemas import validate_run, validator

STEPS = 8  # of the example
UNSEEDED_AT = 3

UNSEEDED = f"""
from transformers import TrainerCallback  # noqa: E402


class Unseeded(TrainerCallback):
    def on_step_begin(self, args, state, control, **rest):
        if state.global_step == {UNSEEDED_AT - 1}:
            torch.seed()

"""


def copy_unseeded(folder):
    """The example in `folder`, its dropout drawn from a seed of the system's from step 3 on."""
    return copy_example(
        folder,
        "hf_trainer",
        ("\nVOCABULARY, ", UNSEEDED + "\nVOCABULARY, "),
        ("callbacks=[callback]", "callbacks=[Unseeded(), callback]"),
    )


def step_lines(run):
    with open(os.path.join(run, "steps.jsonl"), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return [line for line in lines if line.get("step", 0) > 0]


def single(bits):
    return struct.unpack(">f", bytes.fromhex(bits))[0]


class HuggingFaceTrainer(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.out = os.path.join(self.folder, "out")

    def test_the_example_reproduces_and_its_record_is_of_the_protocol(self):
        code, verdict = verify(example("hf_trainer"), self.out)
        self.assertEqual((code, verdict["verdict"]), (0, "REPRODUCED"), verdict["checks"])
        self.assertEqual(verdict["comparisons"][0]["steps_compared"], STEPS)
        validator(ARGUMENTS.source, "verdict").validate(verdict)
        steps, tensors = validate_run(ARGUMENTS.source, os.path.join(self.out, "a"))
        self.assertEqual(steps, STEPS + 3)  # header, step 0, end
        self.assertGreater(tensors, STEPS)
        lines = step_lines(os.path.join(self.out, "a"))
        self.assertEqual([line["step"] for line in lines], list(range(1, STEPS + 1)))
        for line in lines:
            self.assertEqual(len(line["samples"]), 8)  # 2 micro-batches of 4
            self.assertEqual((line["tokens"], line["loss_tokens"]), (8 * 16, 8 * 15))
        losses = [single(line["loss"]["bits"]) for line in lines]
        # ln 64 is what a model that knows nothing comes to; a sum over micro-batches that should
        # be a mean, or the reverse, would be twice or half of it.
        self.assertTrue(all(2.0 < loss < 6.0 for loss in losses), losses)
        # Not rounded to any number of decimals, as a log may be.
        self.assertTrue(all(loss != round(loss, 5) for loss in losses), losses)
        # Linear decay without warm-up: the rate that was used, not the next one.
        rates = [line["lr"]["value"] for line in lines]
        self.assertEqual(rates[0], 0.02)
        self.assertGreater(rates[-1], 0)
        # Clipped to 0.1, but recorded as they were before.
        norms = [single(line["grad_norm"]["bits"]) for line in lines]
        self.assertTrue(all(norm > 0.11 for norm in norms), norms)
        adapter = os.listdir(os.path.join(self.out, "a", "adapter"))
        self.assertLessEqual({"adapter_config.json", "adapter_model.safetensors"}, set(adapter))

    def test_dropout_that_nobody_seeded_is_found_at_its_step(self):
        case = copy_unseeded(self.folder)
        code, verdict = verify(case, self.out, "--set", "verify.controls=false")
        self.assertEqual((code, verdict["verdict"]), (1, "NOT_REPRODUCED"), verdict["checks"])
        first = verdict["comparisons"][0]["first"]
        self.assertEqual((first["step"], first["field"]), (UNSEEDED_AT, "loss"))


if __name__ == "__main__":
    sys.exit(main(__doc__))
