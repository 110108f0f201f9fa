"""The real `twinrun verify` on the example trainer of plain PyTorch, and all it writes by schema.

verify_parity.py --twinrun PROGRAM --source DIR
"""

import hashlib
import json
import os
import sys
import tempfile
import unittest

from real_twinrun import ARGUMENTS, copy_example, example, main, verify
from schemas import validate_run, validator

STEPS = 8  # of the example


def copy_unseeded(folder):
    """The example in `folder`, its dropout drawn from a generator that nobody seeded."""
    return copy_example(
        folder,
        "plain_pytorch",
        ("import torch\n", "import torch\n\ntorch.seed()\n"),
        ("torch.rand(shape, generator=source)", "torch.rand(shape)"),
    )


class Verify(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.out = os.path.join(self.folder, "out")

    def expect_valid(self, verdict):
        validator(ARGUMENTS.source, "verdict").validate(verdict)
        for run in ("a", "b"):
            steps, tensors = validate_run(ARGUMENTS.source, os.path.join(self.out, run))
            self.assertEqual(steps, STEPS + 3)  # header, step 0, end
            self.assertGreater(tensors, STEPS)
            self.expect_command_files(run)

    def expect_command_files(self, run):
        with open(os.path.join(self.out, run, "config.json"), encoding="utf-8") as file:
            launch = json.load(file)["launch"]
        digests = {}
        for path in launch["command"]:
            with open(path, "rb") as file:
                digests[path] = hashlib.sha256(file.read()).hexdigest()
        self.assertEqual(len(digests), 2)  # python3 and train.py
        self.assertEqual(launch["command_files"], digests)

    def test_the_example_reproduces(self):
        code, verdict = verify(example("plain_pytorch"), self.out)
        self.assertEqual((code, verdict["verdict"]), (0, "REPRODUCED"), verdict["checks"])
        self.assertEqual(verdict["exit_code"], 0)
        self.assertEqual([run["steps"] for run in verdict["runs"]], [STEPS, STEPS])
        self.assertEqual(verdict["comparisons"][0]["steps_compared"], STEPS)
        self.assertEqual(
            {control["name"]: control["passed"] for control in verdict["controls"]},
            dict.fromkeys(("planted-ulp", "seed-plus-one", "adapter-moved", "base-unmoved"), True),
        )
        self.expect_valid(verdict)
        control = os.path.join(self.out, "controls", "seed-plus-one")
        self.assertEqual(validate_run(ARGUMENTS.source, control)[0], 2 + 3)

    def test_a_curve_of_the_example_is_valid_and_hit(self):
        case = example("plain_pytorch")
        curves = os.path.join(self.folder, "curves")
        os.mkdir(curves)
        code, verdict = verify(case, self.out, "--write-curve", curves)
        self.assertEqual(code, 0, verdict["checks"])
        curve = os.path.join(curves, verdict["fingerprint"])
        with open(curve + ".json", encoding="utf-8") as file:
            validator(ARGUMENTS.source, "curve").validate(json.load(file))
        with open(curve + ".jsonl", encoding="utf-8") as file:
            for line in file:
                validator(ARGUMENTS.source, "steps").validate(json.loads(line))
        unseeded = copy_unseeded(self.folder)
        for which, flags, expected in (
            (case, (), (0, "REPRODUCED", "bitwise")),
            (case, ("--set", "seed=7"), (0, "NOT_RUN", "no_baseline")),
            (unseeded, (), (1, "NOT_REPRODUCED", "baseline_differs")),
        ):
            out = os.path.join(self.folder, expected[2])
            code, verdict = verify(which, out, "--baseline", curves, *flags)
            validator(ARGUMENTS.source, "verdict").validate(verdict)
            check = next(check for check in verdict["checks"] if check["name"] == "baseline")
            self.assertEqual((code, check["verdict"], check["reason"]), expected, check)

    def test_the_example_without_a_seed_does_not(self):
        code, verdict = verify(copy_unseeded(self.folder), self.out)
        self.assertEqual((code, verdict["verdict"]), (1, "NOT_REPRODUCED"), verdict["checks"])
        first = verdict["comparisons"][0]["first"]
        # lora_b begins at 0: the masks reach the gradient of step 1, but not yet its loss.
        self.assertEqual((first["step"], first["field"]), (1, "grad"))
        self.assertEqual(first["tensors"], ["up.lora_b", "down.lora_b"])
        self.expect_valid(verdict)


if __name__ == "__main__":
    sys.exit(main(__doc__))
