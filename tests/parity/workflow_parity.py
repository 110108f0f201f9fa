"""The files for GitHub under ci/: the linters of others, and what our workflows decide and run.

workflow_parity.py --twinrun PROGRAM --source DIR

The linters are check-jsonschema, with GitHub's own schemas, and zizmor, offline; each also has to
refuse a file that is wrong. No job of GitHub took part.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml
from actions_runner import Commands, evaluate, expand
from real_twinrun import ARGUMENTS, main

SCHEMAS = {"ci/action/action.yml": "vendor.github-actions"}
WORKFLOWS = ("audit", "baseline-refresh", "nightly", "pull-request")
SCHEMAS.update({f"ci/workflows/{name}.yml": "vendor.github-workflows" for name in WORKFLOWS})


def read(name):
    with open(os.path.join(ARGUMENTS.source, name), encoding="utf-8") as file:
        return file.read()


def write(text, *path):
    os.makedirs(os.path.dirname(os.path.join(*path)), exist_ok=True)
    with open(os.path.join(*path), "w", encoding="utf-8") as file:
        file.write(text)


def tool(name, *arguments):
    """Exit code and output of a program of the Python environment that runs this."""
    path = os.path.join(os.path.dirname(sys.executable), name)
    process = subprocess.run([path, *arguments], capture_output=True, text=True)
    return process.returncode, process.stdout + process.stderr


def workflow(name):
    """A workflow; YAML 1.1 reads its key `on` as true."""
    return yaml.safe_load(read(f"ci/workflows/{name}.yml"))


def step_of(job, name):
    return next(step for step in job["steps"] if step.get("name") == name)


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def copy(self, name, old, new):
        """A copy of a file with `old`, which has to be in it, replaced once."""
        text = read(name)
        self.assertIn(old, text)
        path = os.path.join(self.folder, name)
        write(text.replace(old, new, 1), path)
        return path


class Lint(Folder):
    def test_every_file_is_looked_at(self):
        found = [f"ci/workflows/{name}" for name in os.listdir(f"{ARGUMENTS.source}/ci/workflows")]
        self.assertEqual(sorted([*found, "ci/action/action.yml"]), sorted(SCHEMAS))

    def test_schemas(self):
        for name, schema in SCHEMAS.items():
            path = os.path.join(ARGUMENTS.source, name)
            code, text = tool("check-jsonschema", "--builtin-schema", schema, path)
            self.assertEqual(code, 0, text)
        for name, old in (("ci/action/action.yml", "using:"), ("ci/workflows/audit.yml", "steps:")):
            wrong = self.copy(name, old, "usnig:")
            code, text = tool("check-jsonschema", "--builtin-schema", SCHEMAS[name], wrong)
            self.assertEqual(code, 1, text)

    def zizmor(self, *paths):
        return tool("zizmor", "--offline", "--persona", "pedantic", "--no-progress", *paths)

    def test_zizmor(self):
        code, text = self.zizmor(*(os.path.join(ARGUMENTS.source, name) for name in SCHEMAS))
        self.assertEqual(code, 0, text)
        self.assertIn("No findings to report", text)
        pinned = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"
        for old, new, audit in (
            (pinned, "actions/checkout@v7", "unpinned-uses"),
            ('"$RUNNER_TEMP/records"', "${{ inputs.artifact }}", "template-injection"),
            ("          persist-credentials: false\n", "", "artipacked"),
            ("permissions: {}", "permissions: write-all", "excessive-permissions"),
        ):
            code, text = self.zizmor(self.copy("ci/workflows/audit.yml", old, new))
            self.assertNotEqual(code, 0)
            self.assertIn(audit, text)

    def test_no_expression_in_a_script(self):
        """Stricter than the linters: none at all, also none that looks harmless."""
        for name in SCHEMAS:
            file = yaml.safe_load(read(name))
            jobs = file.get("jobs", {"action": file.get("runs")}).values()
            steps = [step for job in jobs for step in job["steps"]]
            self.assertGreater(len(steps), 0)
            for step in steps:
                self.assertNotIn("${{", step.get("run", ""), name)
                uses = step.get("uses", "./.twinrun/ci/action")
                if uses != "./.twinrun/ci/action":
                    self.assertRegex(uses, "^actions/[a-z-]+@[0-9a-f]{40}$")

    def test_what_a_workflow_passes_to_the_action_is_an_input_of_it(self):
        inputs = yaml.safe_load(read("ci/action/action.yml"))["inputs"]
        passed = 0
        for name in WORKFLOWS:
            for job in workflow(name)["jobs"].values():
                self.assertLessEqual(job["timeout-minutes"], 360)
                for step in job["steps"]:
                    if step.get("uses", "").startswith("./"):
                        self.assertLessEqual(set(step["with"]), set(inputs))
                        passed += 1
        self.assertEqual(passed, 4)

    def test_scripts(self):
        for name in sorted(os.listdir(f"{ARGUMENTS.source}/ci/action")):
            if name.endswith(".sh"):
                path = os.path.join(ARGUMENTS.source, "ci", "action", name)
                self.assertEqual(os.access(path, os.X_OK), name != "common.sh", name)
                self.assertEqual(subprocess.run(["bash", "-n", path]).returncode, 0)


def event(action, label="", fork=False):
    repository = "somebody/fork" if fork else "owner/own"
    described = {"action": action, "pull_request": {"number": "7"}}
    described["pull_request"]["head"] = {"repo": {"full_name": repository}}
    if label:
        described["label"] = {"name": label}
    return {"event": described, "repository": "owner/own", "run_id": "99"}


class PullRequest(Folder):
    def decide(self, github, **results):
        """The jobs that run, the name of the check, whether it is green, and the concurrency group."""
        described = workflow("pull-request")
        context = {"github": github, "always": lambda: True}
        jobs = described["jobs"]
        ran = [name for name in ("gpu", "replay") if evaluate(jobs[name]["if"], context)]
        self.assertEqual(jobs["gate"]["needs"], ["gpu", "replay"])
        self.assertTrue(evaluate(jobs["gate"]["if"], context))
        needs = {name: {"result": "skipped"} for name in ("gpu", "replay")}
        needs.update({name: {"result": results.get(name, "success")} for name in ran})
        step = step_of(jobs["gate"], "Both have to be green")
        context["needs"] = needs
        environment = {name: expand(text, context) for name, text in step["env"].items()}
        process = subprocess.run(
            ["bash", "-e", "-c", step["run"]],
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            text=True,
        )
        self.log = process.stdout
        name = expand(jobs["gate"]["name"], context)
        group = expand(described["concurrency"]["group"], context)
        return ran, name, process.returncode == 0, group

    def test_who_gets_onto_the_gpu(self):
        both, gate = ["gpu", "replay"], ("twinrun", "twinrun-7-gate")
        for action in ("opened", "synchronize", "reopened"):
            ran, name, green, group = self.decide(event(action))
            self.assertEqual((ran, green, (name, group)), (both, True, gate))
            ran, name, green, group = self.decide(event(action, fork=True))
            self.assertEqual((ran, green, (name, group)), (["replay"], False, gate))
            self.assertIn("::error title=twinrun::A person has to put the label", self.log)
        for fork in (True, False):
            ran, name, green, group = self.decide(event("labeled", "twinrun-gpu", fork))
            self.assertEqual((ran, green, (name, group)), (both, True, gate))
            ran, name, green, group = self.decide(event("labeled", "documentation", fork))
            self.assertEqual((ran, green), ([], False))
            self.assertEqual((name, group), ("twinrun (no new answer)", "twinrun-7-99"))

    def test_one_red_job_makes_it_red(self):
        for result in ("failure", "cancelled", "skipped"):
            for job in ("gpu", "replay"):
                self.assertFalse(self.decide(event("opened"), **{job: result})[2])


class Propose(Folder):
    """The script of baseline-refresh.yml that opens the pull request."""

    def git(self, *arguments):
        process = subprocess.run(
            ["git", *arguments],
            cwd=self.workspace,
            capture_output=True,
            text=True,
            env=self.variables,
        )
        self.assertEqual(process.returncode, 0, process.stderr)
        return process.stdout

    def setUp(self):
        super().setUp()
        self.workspace = os.path.join(self.folder, "workspace")
        self.pending = os.path.join(self.folder, "temp", "refresh", "pending")
        tools, remote = os.path.join(self.folder, "tools"), os.path.join(self.folder, "remote")
        write('#!/bin/bash\necho "gh $*" >> "$RUNNER_TEMP/gh.log"\n', tools, "gh")
        os.chmod(os.path.join(tools, "gh"), 0o755)
        self.variables = {
            "PATH": tools + ":" + os.environ["PATH"],
            "HOME": self.folder,
            "RUNNER_TEMP": os.path.join(self.folder, "temp"),
            "CASE": "cases/case.yaml",
            "CURVES": "curves",
            "GITHUB_RUN_ID": "99",
            "GITHUB_REPOSITORY": "owner/own",
            "GITHUB_REF_NAME": "main",
            "GITHUB_SERVER_URL": "https://github.com",
            "GIT_CONFIG_COUNT": "1",  # what goes to GitHub goes to a folder
            "GIT_CONFIG_KEY_0": f"url.{remote}.insteadOf",
            "GIT_CONFIG_VALUE_0": "https://github.com/owner/own.git",
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        write("*.pending.*\n", self.workspace, ".gitignore")
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("init", "--quiet", "--bare", remote)
        self.git("add", ".gitignore")
        self.git(
            "-c", "user.name=x", "-c", "user.email=x@y.example", "commit", "--quiet", "-m", "x"
        )

    def propose(self):
        script = step_of(workflow("baseline-refresh")["jobs"]["propose"], "Propose it")["run"]
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.workspace,
            env=self.variables,
            capture_output=True,
            text=True,
        )

    def test_only_pending_curves_reach_a_branch_of_their_own(self):
        name = "0123456789abcdef"
        for file in (f"{name}.pending.jsonl", f"{name}.pending.json", f"{name}.jsonl", "x.sh"):
            write("{}\n", self.pending, file)
        write("{}\n", self.pending, "$(touch pwned).pending.json")
        os.symlink("/etc/hostname", os.path.join(self.pending, "fedcba9876543210.pending.json"))
        process = self.propose()
        self.assertEqual(process.returncode, 0, process.stderr)
        branch = "twinrun-baseline-99"
        changed = self.git("diff", "--name-only", "main", branch).split()
        self.assertEqual(
            changed, [f"cases/curves/{name}.pending.json", f"cases/curves/{name}.pending.jsonl"]
        )
        pushed = self.git("ls-remote", "https://github.com/owner/own.git").split()
        self.assertEqual(pushed[1:], [f"refs/heads/{branch}"])
        with open(os.path.join(self.variables["RUNNER_TEMP"], "gh.log"), encoding="utf-8") as file:
            log = file.read()
        self.assertIn(f"gh pr create --head {branch} --base main", log)

    def test_nothing_pending_opens_nothing(self):
        write("{}\n", self.pending, "0123456789abcdef.jsonl")
        process = self.propose()
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIn("::notice title=twinrun::No pending curve", process.stdout)
        self.assertFalse(os.path.exists(os.path.join(self.variables["RUNNER_TEMP"], "gh.log")))

    def test_only_the_job_without_code_may_write(self):
        for name in WORKFLOWS:
            described = workflow(name)
            self.assertEqual(described["permissions"], {})
            for job_name, job in described["jobs"].items():
                may = {key for key, value in job["permissions"].items() if value == "write"}
                proposes = (name, job_name) == ("baseline-refresh", "propose")
                self.assertEqual(may, {"contents", "pull-requests"} if proposes else set())
                if proposes:
                    self.assertFalse(
                        any("twinrun" in str(step.get("uses")) for step in job["steps"])
                    )


class Audit(Folder):
    """audit.sh and the steps of audit.yml before it."""

    def setUp(self):
        super().setUp()
        fake = os.path.join(ARGUMENTS.source, "tests", "e2e", "fake_trainer.py")
        self.case = os.path.join(self.folder, "case.yaml")
        self.records = os.path.join(self.folder, "records")
        write(
            "schema: 1\nname: toy\nseed: 42\ntrain: {steps: 4}\nnumerics: deterministic\n"
            f"trainer: {{command: [{sys.executable}, {fake}]}}\n",
            self.case,
        )
        self.verify()

    def verify(self):
        command = [ARGUMENTS.twinrun, "verify", self.case, "--out", self.records, "--quiet"]
        self.assertEqual(subprocess.run(command, capture_output=True).returncode, 0)

    def audit(self):
        self.summary = os.path.join(self.folder, "summary")
        write("", self.summary)
        process = subprocess.run(
            [os.path.join(ARGUMENTS.source, "ci", "action", "audit.sh"), self.records],
            env={
                "PATH": os.environ["PATH"],
                "GITHUB_STEP_SUMMARY": self.summary,
                "PROGRAMS": os.path.dirname(ARGUMENTS.twinrun),
            },
            capture_output=True,
            text=True,
        )
        commands = Commands()
        for line in process.stderr.splitlines() + process.stdout.splitlines():
            commands.read(line)
        self.assertEqual(commands.done, [])
        self.log = process.stdout + process.stderr
        return process.returncode

    def test_records_that_hold(self):
        self.assertEqual(self.audit(), 0, self.log)
        with open(self.summary, encoding="utf-8") as file:
            self.assertIn("REPRODUCED", file.read())
        self.assertTrue(os.path.exists(os.path.join(self.records, "audited.json")))

    def test_records_that_do_not_hold(self):
        steps = os.path.join(self.records, "b", "steps.jsonl")
        with open(steps, encoding="utf-8") as file:
            text = file.read()
        write(text.replace('"loss":{"bits":"', '"loss":{"bits":"0', 1), steps)
        self.assertEqual(self.audit(), 5, self.log)

    def test_a_run_of_another_verdict(self):
        """It has the same bits: `compare` finds nothing, and the verdict is about another run."""
        verdict, records = os.path.join(self.folder, "first"), self.records
        os.rename(records, verdict)
        self.verify()
        shutil.rmtree(os.path.join(records, "b"))
        shutil.move(os.path.join(verdict, "b"), os.path.join(records, "b"))
        self.assertEqual(self.audit(), 5, self.log)

    def test_a_run_that_is_gone(self):
        shutil.rmtree(os.path.join(self.records, "b"))
        self.assertNotEqual(self.audit(), 0, self.log)

    def test_a_verdict_that_names_other_folders(self):
        verdict = os.path.join(self.records, "verdict.json")
        with open(verdict, encoding="utf-8") as file:
            text = file.read()
        write(re.sub('"name": "b"', '"name": "--help"', text), verdict)
        self.assertNotEqual(self.audit(), 0, self.log)

    def test_which_run_is_audited(self):
        script = step_of(workflow("audit")["jobs"]["audit"], "Find the run")["run"]
        tools = os.path.join(self.folder, "tools")
        for given, newest, expected in (("12", "", "12"), ("", "34", "34"), ("", "", None)):
            write(f"#!/bin/bash\necho {newest}\n", tools, "gh")
            os.chmod(os.path.join(tools, "gh"), 0o755)
            outputs = os.path.join(self.folder, "outputs")
            write("", outputs)
            process = subprocess.run(
                ["bash", "-eo", "pipefail", "-c", script],
                env={
                    "PATH": tools + ":" + os.environ["PATH"],
                    "RUN_ID": given,
                    "GITHUB_REPOSITORY": "owner/own",
                    "GITHUB_OUTPUT": outputs,
                },
                capture_output=True,
            )
            self.assertEqual(process.returncode, 3 if expected is None else 0)
            with open(outputs, encoding="utf-8") as file:
                self.assertEqual(file.read(), f"run-id={expected}\n" if expected else "")


if __name__ == "__main__":
    sys.exit(main(__doc__))
