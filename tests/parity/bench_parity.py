"""bench.json of the real `twinrun bench`, on the fake trainer, by its schema.

bench_parity.py --twinrun PROGRAM --source DIR
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import jsonschema
from real_twinrun import ARGUMENTS, main
from schemas import validator


class Bench(unittest.TestCase):
    def report(self, script, *flags):
        """Exit code and bench.json of a case whose trainer.params.bench is `script`."""
        with tempfile.TemporaryDirectory() as folder:
            trainer = os.path.join(ARGUMENTS.source, "tests", "e2e", "fake_trainer.py")
            case = {
                "schema": 1,
                "name": "toy",
                "seed": 42,
                "train": {"steps": 6},
                "numerics": "deterministic",
                "trainer": {"command": [sys.executable, trainer], "params": {"bench": script}},
            }
            path, out = os.path.join(folder, "case.yaml"), os.path.join(folder, "out")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(case, file)
            command = [ARGUMENTS.twinrun, "bench", path, "--out", out, "--quiet", *flags]
            process = subprocess.run(command, capture_output=True, text=True)
            with open(os.path.join(out, "bench.json"), encoding="utf-8") as file:
                return process.returncode, json.load(file)

    def test_every_verdict_is_valid(self):
        for script, flags, code, verdict in (
            ({"ratio": {"deterministic": 1.02}}, (), 0, "WITHIN_BUDGET"),
            ({"ratio": {"deterministic": 1.2}}, (), 1, "SLOWDOWN_EXCEEDED"),
            ({"arms": {"fast-again": {"factor": 1.1}}}, (), 3, "INVALID"),
            ({"arms": {"fast": {"refuse": 3}}}, (), 3, "INVALID"),
            ({}, ("--time-limit", "0.001"), 3, "INCONCLUSIVE"),
            (
                {"switches": {"x": 1.01, "y": 1.0}, "arms": {"on-x": {"refuse": 3}}},
                ("--attribute",),
                0,
                "WITHIN_BUDGET",
            ),
        ):
            found, report = self.report(script, *flags)
            validator(ARGUMENTS.source, "bench").validate(report)
            self.assertEqual((found, report["verdict"]), (code, verdict), report["checks"])
            self.assertEqual(report["exit_code"], code)

    def test_the_schema_refuses_what_is_no_report(self):
        _, report = self.report({})
        for changes in ({"verdict": "REPRODUCED"}, {"schema": 2}, {"comparisons": []}, {"x": 1}):
            with self.assertRaises(jsonschema.ValidationError, msg=changes):
                validator(ARGUMENTS.source, "bench").validate({**report, **changes})


if __name__ == "__main__":
    sys.exit(main(__doc__))
