"""The steps of ci/action/action.yml, played by a stand-in for GitHub's runner, on the fake trainer.

action_parity.py --twinrun PROGRAM --source DIR

What it cannot show is in docs/action.md: no job of GitHub took part.
"""

import argparse
import json
import os
import re
import shutil
import sys
import unittest

from action_case import STEPS, ActionCase, read, script, write


class Action(ActionCase):
    def test_green(self):
        self.job()
        self.play(case=self.case())
        self.expect("REPRODUCED", "pass", 0)
        self.expect_records("a", "b")
        self.assertEqual(self.errors(), [])
        self.assertEqual(self.last.step("Build").outcome, "skipped")

    def test_red(self):
        self.job()
        self.play(case=self.case("{faults: {b: adapter-ulp@3}}"))
        self.expect("NOT_REPRODUCED", "difference", 1, step="3")
        self.expect_records("a", "b")
        self.assertIn("step 3", self.errors()[0])

    def test_the_first_of_several_differences(self):
        self.job()
        self.play(case=self.case("{faults: {b: loss-ulp@5, c: loss-ulp@4}}"), runs="3")
        self.expect("NOT_REPRODUCED", "difference", 1, step="4")

    def test_inconclusive(self):
        self.job()
        self.play(case=self.case(more="verify: {controls: false}"))
        self.expect("INCONCLUSIVE", "no-verdict", 3)
        self.assertNotEqual(self.errors(), [])

    def test_invalid_where_the_trainer_fails(self):
        self.job()
        self.play(case=self.case("{fail: '::error::pwned'}"))
        self.expect("INVALID", "no-verdict", 3)

    def test_numerics_and_runs_are_passed_on(self):
        self.job()
        self.play(case=self.case(), numerics="portable", runs="3")
        self.expect("REPRODUCED", "pass", 0)
        self.expect_records("a", "b", "c")
        config = json.loads(read(self.out(), "c", "config.json"))
        self.assertEqual(config["identity"]["numerics"], "portable")

    def expect_pending(self, curves):
        """What verify proposed is in the artifact, whole; the baseline itself was not touched."""
        pending = sorted(os.listdir(os.path.join(self.out(), "pending")))
        self.assertEqual(len(pending), 2)
        self.assertTrue(
            all(re.fullmatch(r"[0-9a-f]{16}\.pending\.jsonl?", name) for name in pending)
        )
        for name in pending:
            self.assertEqual(read(self.out(), "pending", name), read(curves, name))
        self.assertEqual(read(curves, pending[1]), read(self.out(), "a", "steps.jsonl"))

    def test_no_baseline_warns_or_fails(self):
        self.job()
        self.play(case=self.case(), baseline="true")
        self.expect("REPRODUCED", "pass", 0)
        self.assertTrue(any("baseline" in message for _, _, message in self.last.annotations()))
        self.expect_pending(os.path.join(self.last.workspace, "curves"))
        self.job()
        self.play(case=self.case(), baseline="true", on_missing_baseline="fail")
        self.expect("INCONCLUSIVE", "no-verdict", 3)

    def test_a_baseline_is_hit_or_missed(self):
        self.job()
        case = self.case()
        os.mkdir(os.path.join(self.last.workspace, "kept curves"))
        write_curve = f"{self.twinrun} verify case.yaml --out {self.folder}/freeze --quiet"
        code = os.system(f"cd {self.last.workspace} && {write_curve} --write-curve 'kept curves/'")
        self.assertEqual(code, 0)
        curves = os.path.join(self.last.workspace, "kept curves")
        self.play(case=case, baseline="kept curves", on_missing_baseline="fail")
        self.expect("REPRODUCED", "pass", 0)
        # Both twins drift alike: only the curve tells. params are part of the identity, so the trainer
        # itself is what changes.
        self.job()
        case = self.case()
        trainer = os.path.join(self.folder, "train.py")
        drift = (
            'real = fake_trainer.Faults\nfake_trainer.Faults = lambda texts: real(["loss-ulp@2"])\n'
        )
        write(read(trainer).replace("sys.exit(", drift + "sys.exit("), trainer)
        self.play(case=case, baseline=curves)
        self.expect("NOT_REPRODUCED", "difference", 1, step="2")
        self.expect_pending(curves)

    def expect_refused(self, word, **inputs):
        """A wrong input: nothing is trained, and the job says what is wrong."""
        self.job()
        inputs.setdefault("case", self.case())
        self.play(**inputs)
        self.assertEqual(self.last.step("Check the inputs").code, 2, self.log())
        self.assertEqual(self.last.step("Verify").outcome, "skipped")
        self.assertEqual(self.outputs["exit-class"], "usage")
        self.assertEqual(self.outputs["verdict"], "")
        self.assertEqual(self.last.status, "failure")
        self.expect_well_behaved()
        self.assertIn(word, self.errors()[0])
        self.assertIn(word, self.last.summary())
        self.assertFalse(os.path.exists(os.path.join(self.out(), "a")))

    def test_inputs_that_are_wrong(self):
        self.expect_refused("no file 'none.yaml'", case="none.yaml")
        self.expect_refused("case is empty", case="")
        self.expect_refused("require-gpu is 'yes'", require_gpu="yes")
        self.expect_refused("no NVIDIA GPU", require_gpu="true")
        self.expect_refused("bench is '1'", bench="1")
        self.expect_refused("on-missing-baseline is 'ignore'", on_missing_baseline="ignore")
        self.expect_refused("baseline is not asked for", on_missing_baseline="fail")
        self.expect_refused("input artifact", artifact="a/b")
        self.expect_refused("no folder with a program", programs="nowhere")
        self.expect_refused("no file '::error::pwned", case="::error::pwned")

    def test_what_twinrun_refuses(self):
        for inputs in ({"runs": "1"}, {"numerics": "exact"}, {"baseline": "nowhere"}):
            self.job()
            self.play(case=self.case(), **inputs)
            self.expect("", "usage", 2)
            self.assertIn("no verdict%0Atwinrun: ", self.errors()[0])
        self.job()
        self.play(case=self.case(more="sed: 1"))
        self.expect("", "usage", 2)
        self.assertIn("sed", self.errors()[0])

    def test_hostile_names(self):
        name = (
            "$(touch pwned) ; touch pwned `touch pwned` ::error::pwned ##[error]pwned %0A::error::x"
        )
        self.job()
        file = self.case(name=json.dumps(name), file="-x $(touch pwned);'\"`.yaml")
        self.play(case=file)
        self.expect("REPRODUCED", "pass", 0)
        self.assertEqual(sorted(os.listdir(self.last.workspace)), [file])
        self.job()
        self.play(case=self.case("{faults: {b: nan@2}}", name='"::error::pwned\\n::error::pwned"'))
        self.expect_well_behaved()

    def test_cancelled(self):
        job = self.job()
        case = self.case("{step_seconds: 0.3}")

        def a_step_is_there():
            for folder, _, files in os.walk(job.temp):
                if os.path.basename(folder) == "a" and "steps.jsonl" in files:
                    return read(folder, "steps.jsonl").count("\n") > 3
            return False

        job.cancel_when = a_step_is_there
        self.play(case=case)
        self.assertEqual(job.status, "cancelled")
        self.assertEqual(job.step("Verify").code, 130, self.log())
        self.assertEqual(self.outputs["exit-class"], "interrupted")
        self.assertEqual((self.outputs["verdict"], job.step("Report").code), ("", 0))
        self.expect_well_behaved()
        lines = read(self.out(), "a", "steps.jsonl").split("\n")
        self.assertEqual(lines.pop(), "")
        self.assertTrue(all(json.loads(line) for line in lines))
        self.assertLess(len(lines), STEPS + 3)
        self.assertIn(f"run a: {len(lines)} lines", job.summary())

    def test_cancelled_while_it_hangs(self):
        """A judge that does not stop for SIGINT or SIGTERM: what the job says does not hang on it."""
        job = self.job()
        case = self.case()
        os.unlink(os.path.join(self.programs, "twinrun"))
        stuck = "trap '' INT TERM\ntouch \"$RUNNER_TEMP/began\"\nwhile :; do sleep 1; done\n"
        script(stuck, self.programs, "twinrun")
        job.grace_s = (1.5, 0.5)
        job.cancel_when = lambda: os.path.exists(os.path.join(job.temp, "began"))
        self.play(case=case)
        self.assertEqual(job.step("Verify").code, -9, self.log())
        self.assertEqual(self.outputs["exit-class"], "interrupted")
        self.expect_well_behaved()

    def test_a_gpu_that_the_runs_did_not_use_is_not_green(self):
        tools = os.path.join(self.folder, "tools")
        os.mkdir(tools)
        script("echo 'GPU 0: stand-in'\n", tools, "nvidia-smi")
        self.job(PATH=tools + ":" + os.environ["PATH"])
        self.play(case=self.case(), require_gpu="true")
        self.assertEqual(self.last.step("Verify").code, 3, self.log())
        self.assertEqual(self.outputs["exit-class"], "no-verdict")
        self.assertEqual(self.outputs["verdict"], "INCONCLUSIVE")
        self.assertIn("require-gpu", "".join(self.errors()))
        self.assertIn("require-gpu", self.last.summary())
        self.assertEqual(
            json.loads(read(self.out(), "a", "config.json"))["launch"]["device"], "cuda"
        )

    def wrap(self, text):
        """Puts a script in the place of twinrun, for which $REAL is the real one."""
        os.unlink(os.path.join(self.programs, "twinrun"))  # a link to the real one, or a script
        script(f"REAL={self.twinrun}\n{text}", self.programs, "twinrun")

    def test_a_record_that_was_changed_afterwards(self):
        self.wrap(
            '[[ $1 == verify ]] || exec $REAL "$@"\n'
            '$REAL "$@" && sed -i \'3s/"tokens":[0-9]*/"tokens":7/\' $3/b/steps.jsonl\n'
        )
        self.job()
        self.play(case=self.case())
        self.assertEqual(self.last.step("Report").code, 5, self.log())
        self.assertEqual(self.last.status, "failure")
        self.assertEqual(self.outputs["exit-class"], "evidence")
        self.assertEqual(self.outputs["verdict"], "EVIDENCE_INVALID")
        self.assertIn("does not hold", "".join(self.errors()))

    def bench(self, verdict, code):
        """Plays a job whose `twinrun bench` is a stand-in that ends so."""
        self.wrap(
            '[[ $1 == bench ]] || exec $REAL "$@"\n'
            "[[ -z ${GITHUB_TOKEN:-}${GITHUB_OUTPUT:-} ]] || exit 9\n"
            'echo "$*" > "$RUNNER_TEMP/flags"; mkdir -p "$3"; echo "twinrun: told" >&2; sleep 0.2\n'
            f'[[ -z "{verdict}" ]] || echo \'{{"verdict": "{verdict}"}}\' > "$3/bench.json"\n'
            f"echo '{verdict or '::error::pwned'}  ##[error]pwned'; exit {code}\n"
        )
        self.job()
        self.play(case=self.case(), bench="true", bench_budget="1.5")
        log = self.log()
        self.assertEqual(self.last.step("Bench").code, code, log)
        self.assertEqual(self.last.status, "failure" if code else "success")
        self.assertEqual(
            read(self.last.temp, "flags"),
            f"bench --out {self.out()}/bench --budget 1.5 -- case.yaml\n",
        )
        self.expect_well_behaved()

    def test_what_determinism_costs(self):
        self.bench("WITHIN_BUDGET", 0)
        self.assertEqual(
            (self.outputs["verdict"], self.outputs["exit-class"]), ("REPRODUCED", "pass")
        )
        self.assertIn("costs\n\n    WITHIN_BUDGET", self.last.summary())
        self.bench("SLOWDOWN_EXCEEDED", 1)
        self.assertEqual(self.outputs["verdict"], "SLOWDOWN_EXCEEDED")
        self.assertEqual(self.outputs["exit-class"], "difference")
        self.assertIn("SLOWDOWN_EXCEEDED", "".join(self.errors()))
        self.bench("INCONCLUSIVE", 3)
        self.assertEqual(self.outputs["verdict"], "INCONCLUSIVE")
        self.bench("", 2)
        self.assertEqual((self.outputs["verdict"], self.outputs["exit-class"]), ("", "usage"))
        self.assertIn("twinrun: told", "".join(self.errors()))

    def test_no_bench_behind_a_red_verdict(self):
        self.job()
        self.play(case=self.case("{faults: {b: adapter-ulp@3}}"), bench="true")
        self.expect("NOT_REPRODUCED", "difference", 1, step="3")
        self.assertEqual(self.last.step("Bench").outcome, "skipped")

    def test_a_summary_that_is_too_long(self):
        self.wrap(
            'if [[ "$*" == *"--format md"* ]]; then yes "a long line" | head -n 200000; exit; fi\n'
            'exec $REAL "$@"\n'
        )
        self.job()
        self.play(case=self.case())
        self.assertGreater(len(read(self.out(), "report.md")), 1_100_000)
        self.assertLess(len(self.last.summary()), 901_000)
        self.assertTrue(self.last.summary().endswith("the whole report is in the artifact.\n"))

    def test_commands_of_a_report_are_annotations_only(self):
        self.wrap(
            'if [[ "$*" == *"--format github"* ]]; then printf "::add-mask::a\\n##[error]b\\n";\n'
            '  yes "::error title=twinrun::c" | head -n 99; exit; fi\nexec $REAL "$@"\n'
        )
        self.job()
        self.play(case=self.case())
        self.assertEqual(self.last.annotations(), [("error", "title=twinrun", "c")] * 30)

    def test_a_judge_that_says_nothing_is_not_green(self):
        os.unlink(os.path.join(self.programs, "twinrun"))
        script("exit 0\n", self.programs, "twinrun")
        self.job()
        self.play(case=self.case())
        self.assertEqual(self.last.step("Verify").code, 4)
        self.assertEqual(
            (self.outputs["exit-class"], self.outputs["verdict"]), ("internal", "INTERNAL")
        )
        self.expect_well_behaved()

    def tree_with(self, bootstrap):
        """A copy of the action in a tree whose bootstrap is the script `bootstrap`."""
        tree = os.path.join(self.folder, "tree")
        shutil.copytree(os.path.dirname(self.action), os.path.join(tree, "ci", "action"))
        script(bootstrap, tree, "ci", "bootstrap")
        self.action = os.path.join(tree, "ci", "action", "action.yml")

    def test_a_build_that_fails(self):
        self.tree_with("echo '::error::pwned' >&2; exit 1\n")
        self.job()
        self.play(case=self.case(), programs="")
        self.assertEqual(self.last.step("Build").code, 1, self.log())
        self.assertEqual(self.last.step("Verify").outcome, "skipped")
        self.assertEqual(self.outputs["exit-class"], "internal")
        self.assertEqual(self.outputs["verdict"], "INTERNAL")
        self.expect_well_behaved()
        self.assertIn("could not be built", self.errors()[0])

    def test_cancelled_in_the_build(self):
        self.tree_with('touch "$RUNNER_TEMP/began"; exec sleep 60\n')
        job = self.job()
        job.grace_s = (1.5, 0.5)
        job.cancel_when = lambda: os.path.exists(os.path.join(job.temp, "began"))
        self.play(case=self.case(), programs="")
        self.assertEqual(job.step("Verify").outcome, "skipped")
        self.assertEqual((self.outputs["exit-class"], self.outputs["verdict"]), ("interrupted", ""))
        self.expect_well_behaved()

    def test_a_build_is_what_is_used(self):
        self.tree_with("echo export TWINRUN_LIBTORCH=torch TWINRUN_PYTHON=python\n")
        tools = os.path.join(self.folder, "tools")
        os.mkdir(tools)
        link = f"mkdir -p build/release/bin && ln -sf {self.twinrun} build/release/bin/twinrun"
        script(f'[[ "$*" != *--build*" twinrun-train" ]] || {{ {link}; }}\n', tools, "cmake")
        self.job(PATH=tools + ":" + os.environ["PATH"])
        self.play(case=self.case(), programs="")
        self.expect("REPRODUCED", "pass", 0)
        self.assertEqual(self.last.step("Build").code, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--twinrun", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("-k", action="append", help="only the tests with this in their name")
    arguments = parser.parse_args()
    ActionCase.twinrun, ActionCase.source = arguments.twinrun, arguments.source
    loader = unittest.TestLoader()
    loader.testNamePatterns = arguments.k and [f"*{name}*" for name in arguments.k]
    result = unittest.TextTestRunner(verbosity=2).run(loader.loadTestsFromTestCase(Action))
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
