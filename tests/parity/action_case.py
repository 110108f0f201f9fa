"""What the tests of the action share: a case, a job on the stand-in for the runner, what has to hold."""

import os
import stat
import sys
import tempfile
import unittest

import junitparser
from actions_runner import Job

STEPS = 6
SECRETS = ("a secret of the runner", "a secret of the repository")

# A trainer that tries what a hostile one would: commands in either notation, the runner's files, its tokens.
# Then it trains, with the fault that `params.faults` plants in the run of that name.
TRAINER = """
import json, os, sys
lines = ["::error::pwned", " ::set-output name=verdict::REPRODUCED", "##[error]pwned", "x ##[add-mask]a",
         "::stop-commands::x", "::x::", "::add-matcher::x.json", "::set-env name=PATH::x"]
for stream in (sys.stdout, sys.stderr):
    print(*lines, sep="\\n", file=stream, flush=True)
for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_STATE"):
    if name in os.environ:
        open(os.environ[name], "a").write("verdict=pwned\\n")
sys.path.insert(0, FOLDER)
import fake_trainer
with open(sys.argv[2]) as file:
    config = json.load(file)
params = config["identity"]["trainer"]["params"]
if os.environ.get("GITHUB_TOKEN") or os.environ.get("ACTIONS_RUNTIME_TOKEN"):
    open(os.path.join(os.path.dirname(sys.argv[2]), "stolen"), "w").close()
fault = params.get("faults", {}).get(config["launch"]["run"])
if fault is not None:
    real = fake_trainer.Faults
    class Planted(real):
        def __init__(self, texts):
            real.__init__(self, [fault])
    fake_trainer.Faults = Planted
sys.exit(fake_trainer.main(sys.argv[1:]))
"""


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def write(text, *path):
    with open(os.path.join(*path), "w", encoding="utf-8") as file:
        file.write(text)


def script(text, *path):
    write("#!/bin/bash\n" + text, *path)
    os.chmod(os.path.join(*path), stat.S_IRWXU)


class ActionCase(unittest.TestCase):
    twinrun, source = None, None  # of the command line

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.action = os.path.join(self.source, "ci", "action", "action.yml")
        self.programs = os.path.join(self.folder, "programs")
        os.mkdir(self.programs)
        os.symlink(self.twinrun, os.path.join(self.programs, "twinrun"))
        self.jobs = 0

    def job(self, **environment):
        self.jobs += 1
        self.last = Job(os.path.join(self.folder, f"job{self.jobs}"), environment)
        return self.last

    def case(self, params="{}", name="toy", more="", file="case.yaml"):
        """Writes a case into the workspace of the last job; returns its file name."""
        workspace = self.last.workspace
        trainer = os.path.join(self.folder, "train.py")
        fake = os.path.join(self.source, "tests", "e2e")
        write(TRAINER.replace("FOLDER", repr(fake)), trainer)
        write(
            f"schema: 1\nname: {name}\nseed: 42\ntrain: {{steps: {STEPS}}}\n"
            f"numerics: deterministic\n{more}\n"
            f"trainer: {{command: [{sys.executable}, {trainer}], params: {params}}}\n",
            workspace,
            file,
        )
        return file

    def play(self, **inputs):
        inputs.setdefault("programs", self.programs)
        named = {name.replace("_", "-"): value for name, value in inputs.items()}
        self.outputs = self.last.play(self.action, named)
        return self.outputs

    def out(self):
        """The folder of the artifact, which has to be kept whatever happened."""
        kept = self.last.step("Keep verdict, report and records").uses
        self.assertIsNotNone(kept, "nothing was kept")
        folder, without = kept["path"].split("\n")[:2]
        self.assertEqual(without, f"!{folder}/**/checkpoints/**")
        self.assertTrue(os.path.isdir(folder))
        return folder

    def log(self):
        return "".join(f"== {step.name} {step.code}\n{step.log}" for step in self.last.steps)

    def expect(self, verdict, exit_class, code, step=""):
        """Outputs, exit code of the step Verify, and what has to hold for every job that got that far."""
        log = self.log()
        self.assertEqual(self.outputs["verdict"], verdict, log)
        self.assertEqual(self.outputs["exit-class"], exit_class, log)
        self.assertEqual(self.outputs["first-divergent-step"], step)
        self.assertEqual(self.last.step("Verify").code, code, log)
        self.assertEqual(self.last.step("Report").code, 0, log)
        self.assertEqual(self.last.status, "success" if code == 0 else "failure")
        self.expect_well_behaved()
        page = "report.html" if verdict else "report.md"
        self.assertEqual(self.outputs["report-path"], os.path.join(self.out(), page))
        self.assertIn(verdict or "no verdict", read(self.outputs["report-path"]))
        if verdict:
            self.assertRegex(read(self.outputs["report-path"]), "(?i)^<!doctype html>")
            junit = junitparser.JUnitXml.fromfile(os.path.join(self.out(), "junit.xml"))
            self.assertGreater(junit.tests, 0)
            self.assertEqual(junit.failures + junit.errors > 0, code != 0)
        report = read(self.out(), "report.md")
        self.assertEqual(self.last.summary(), report)
        self.assertIn(verdict or "no verdict", report)
        told = self.last.annotations()[0]
        self.assertIn(verdict or "no verdict", told[1] + told[2])

    def expect_well_behaved(self):
        """No command but annotations of the step Report, few of them, each of one line; no secret told."""
        for step in self.last.steps:
            if step.name != "Report":
                self.assertEqual(step.commands, [], step.name)
        levels = [name for name, _, _ in self.last.annotations()]
        self.assertTrue(set(levels) <= {"error", "warning", "notice"}, levels)
        self.assertTrue(0 < len(levels) <= 30 and max(map(levels.count, levels)) <= 10, levels)
        for _, properties, message in self.last.annotations():
            self.assertIn("title=twinrun", properties)
            self.assertNotEqual(message, "")
        for secret in SECRETS:
            self.assertNotIn(secret, self.log())
        self.assertLess(len(self.last.summary()), 1_000_000)

    def expect_records(self, *names):
        for name in names:
            self.assertGreater(len(read(self.out(), name, "steps.jsonl")), 0)
            self.assertFalse(os.path.exists(os.path.join(self.out(), name, "stolen")))

    def errors(self):
        return [message for name, _, message in self.last.annotations() if name == "error"]
