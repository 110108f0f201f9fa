"""What `twinrun report` and `twinrun bundle` write, read by programs of others.

report_parity.py --twinrun PROGRAM --source DIR [--chromium PROGRAM]

Without --chromium: JUnit by junitparser, bundles by tarfile and sha256sum, verdict.json by schema.
With it: the HTML page in headless Chromium, at two widths, in both colour schemes, and printed.
"""

import json
import os
import re
import struct
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zlib

import real_twinrun
from real_twinrun import ARGUMENTS
from schemas import validator

CASE = """schema: 1
name: "toy </title><script>document.title='run'</script>"
seed: 42
train: {{steps: 6}}
numerics: deterministic
trainer:
  command: [{python}, {source}/tests/e2e/fake_trainer.py]
"""
# Of a trainer that promises no bits; its calibration is made first.
NOISY = """  params: {noise_ppm: 1}
statistics: {alpha: 0.1, envelope_runs: 5, calibration_runs: 9, window_steps: 5}
"""
GREEN_PANEL = {"light": (0xE6, 0xF4, 0xEA), "dark": (0x12, 0x30, 0x1D)}


def run(*command):
    """Without CI, which forbids to accept a calibration."""
    desk = {name: value for name, value in os.environ.items() if name != "CI"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=desk)


def twinrun(*arguments):
    return run(ARGUMENTS.twinrun, *arguments)


class Judged(unittest.TestCase):
    """Folders of verdicts: `green`, where the runs are equal, `red`, where b differs, `crashed`;
    of runs that promise no bits `uncalibrated`, `scattered` and `outside`."""

    @classmethod
    def setUpClass(cls):
        cls.keep = tempfile.TemporaryDirectory()
        cls.folder = cls.keep.name
        case = os.path.join(cls.folder, "case.yaml")
        with open(case, "w", encoding="utf-8") as file:
            file.write(CASE.format(python=sys.executable, source=ARGUMENTS.source))
        for name, code, flags in (
            ("green", 0, ()),
            ("red", 1, ("--inject", "b:adapter-ulp@3")),
            ("crashed", 3, ("--inject", "b:crash@3")),
        ):
            cls.judge(case, name, code, *flags)
        # The noise hangs on the names of the runs, so that the verdicts are the same each time.
        with open(case, "w", encoding="utf-8") as file:
            text = CASE.replace("deterministic", "fast\nshuffle_reductions: 1")
            text = text.replace("steps: 6", "steps: 20")
            file.write(text.format(python=sys.executable, source=ARGUMENTS.source) + NOISY)
        cls.judge(case, "uncalibrated", 3)
        work = ("calibrate", case, "--work", os.path.join(cls.folder, "work"))
        for flags in (("--quiet",), ("--accept", "--why", "a test", "--who", "Ada")):
            result = twinrun(*work, *flags)
            if result.returncode != 0:
                raise AssertionError(f"calibrate: exit {result.returncode}\n{result.stderr}")
        cls.judge(case, "scattered", 0)
        cls.judge(case, "outside", 1, "--inject", "b:dropout-unseeded@3")

    @classmethod
    def judge(cls, case, name, code, *flags):
        out = os.path.join(cls.folder, name)
        result = twinrun("verify", case, "--out", out, "--quiet", *flags)
        if result.returncode != code:
            raise AssertionError(f"{name}: exit {result.returncode}\n{result.stderr}")

    @classmethod
    def tearDownClass(cls):
        cls.keep.cleanup()

    def report(self, name, form):
        out = os.path.join(self.folder, f"{name}.{form}")
        verdict = os.path.join(self.folder, name, "verdict.json")
        result = twinrun("report", verdict, "--format", form, "--out", out)
        self.assertEqual(result.returncode, 0, result.stderr)
        return out


class JUnit(Judged):
    def suite(self, name):
        import junitparser

        suites = list(junitparser.JUnitXml.fromfile(self.report(name, "junit")))
        self.assertEqual(len(suites), 1)
        return suites[0]

    def outcomes(self, suite):
        import junitparser

        kinds = (junitparser.Failure, junitparser.Error, junitparser.Skipped)
        found = {kind.__name__: [] for kind in kinds}
        for case in suite:
            for result in case.result:
                found[type(result).__name__].append(case.name)
                self.assertTrue(result.message)
        return found

    def counted(self, suite):
        found = self.outcomes(suite)
        counts = (suite.tests, suite.failures, suite.errors, suite.skipped)
        self.assertEqual(counts, (len(list(suite)), *(len(names) for names in found.values())))
        return found

    def test_green_has_neither_failure_nor_error(self):
        found = self.counted(self.suite("green"))
        self.assertEqual((found["Failure"], found["Error"]), ([], []))
        self.assertIn("baseline", found["Skipped"])

    def test_a_difference_is_a_failure(self):
        found = self.counted(self.suite("red"))
        self.assertEqual(found["Failure"], ["NOT_REPRODUCED", "twin"])
        self.assertEqual(found["Error"], [])

    def test_a_crash_is_an_error(self):
        found = self.counted(self.suite("crashed"))
        self.assertEqual(found["Failure"], [])
        self.assertEqual(found["Error"][:2], ["INVALID", "twin"])

    def test_runs_without_equal_bits(self):
        found = self.counted(self.suite("scattered"))
        self.assertEqual((found["Failure"], found["Error"]), ([], []))
        found = self.counted(self.suite("outside"))
        self.assertEqual(found["Failure"][:2], ["NOT_REPRODUCED", "calibration"])
        found = self.counted(self.suite("uncalibrated"))
        self.assertEqual(found["Failure"], [])
        self.assertIn("calibration", found["Error"])


class Schema(Judged):
    def test_every_verdict_is_of_its_schema(self):
        for name in ("green", "red", "crashed", "uncalibrated", "scattered", "outside"):
            with open(os.path.join(self.folder, name, "verdict.json"), encoding="utf-8") as file:
                verdict = json.load(file)
            validator(ARGUMENTS.source, "verdict").validate(verdict)
            scattered = verdict["statistics"] is not None
            self.assertEqual(scattered, name in ("uncalibrated", "scattered", "outside"))


class Bundle(Judged):
    def test_tar_and_sha256sum_take_it_apart(self):
        for name, code in (("green", 0), ("red", 1), ("crashed", 3), ("scattered", 0)):
            bundle = os.path.join(self.folder, name + ".tar")
            packed = twinrun("bundle", os.path.join(self.folder, name), "--out", bundle)
            self.assertEqual(packed.returncode, 0, packed.stderr)
            apart = os.path.join(self.folder, name + "-apart")
            with tarfile.open(bundle) as archive:
                for member in archive.getmembers():
                    self.assertTrue(member.isreg(), member.name)
                    self.assertEqual((member.uid, member.gid, member.mode), (0, 0, 0o644))
                    self.assertTrue(member.name.startswith("twinrun-bundle/"), member.name)
                archive.extractall(apart)  # every name was looked at
            inside = os.path.join(apart, "twinrun-bundle")
            listed = subprocess.run(
                ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=inside, capture_output=True
            )
            self.assertEqual(listed.returncode, 0, listed.stderr)
            checked = twinrun("bundle", "--check", bundle)
            self.assertEqual(checked.returncode, code, checked.stderr)


def pixels(path):
    """The colours of a PNG of 8-bit RGB or RGBA, as Chromium writes it."""
    with open(path, "rb") as file:
        data = file.read()
    at, packed = 8, b""
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        if kind == b"IDAT":
            packed += body
        at += length + 12
    if depth != 8 or colour not in (2, 6):
        raise AssertionError(f"{path}: depth {depth}, colour type {colour}")
    size = 3 if colour == 2 else 4
    raw, stride, colours = zlib.decompress(packed), width * size, set()
    before = bytearray(stride)
    for row in range(height):
        start = row * (stride + 1)
        kind, line = raw[start], bytearray(raw[start + 1 : start + 1 + stride])
        for i in range(stride):
            left = line[i - size] if i >= size else 0
            up, corner = before[i], before[i - size] if i >= size else 0
            if kind == 1:
                line[i] = (line[i] + left) & 255
            elif kind == 2:
                line[i] = (line[i] + up) & 255
            elif kind == 3:
                line[i] = (line[i] + (left + up) // 2) & 255
            elif kind == 4:
                guess = left + up - corner
                near = min((left, up, corner), key=lambda value: abs(guess - value))
                line[i] = (line[i] + near) & 255
        colours.update(tuple(line[i : i + 3]) for i in range(0, stride, size))
        before = line
    return colours


class Page(Judged):
    def chromium(self, *arguments):
        result = run(
            ARGUMENTS.chromium,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--enable-logging=stderr",
            f"--user-data-dir={os.path.join(self.folder, 'profile')}",
            *arguments,
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        # What the content security policy forbids, a browser says in its log.
        for line in result.stderr.splitlines():
            self.assertNotRegex(line, r"CONSOLE|Content.Security.Policy|Refused to", line)
        return result.stdout

    def test_both_colour_schemes_are_drawn(self):
        page = "file://" + self.report("green", "html")
        for scheme, forced in (("light", ()), ("dark", ("--force-dark-mode",))):
            shot = os.path.join(self.folder, scheme + ".png")
            self.chromium(f"--screenshot={shot}", "--window-size=800,600", *forced, page)
            colours = pixels(shot)
            self.assertIn(GREEN_PANEL[scheme], colours, f"{scheme}: no panel of its colour")
            other = GREEN_PANEL["dark" if scheme == "light" else "light"]
            self.assertNotIn(other, colours)

    def test_nothing_is_wider_than_the_window(self):
        for name in ("green", "red", "crashed", "uncalibrated", "scattered", "outside"):
            page = self.report(name, "html")
            for width in (1280, 390):
                frame = os.path.join(self.folder, "frame.html")
                with open(frame, "w", encoding="utf-8") as file:
                    file.write(
                        f'<iframe id="f" width="{width}" height="800" style="border:0" '
                        f'src="{page}"></iframe><p id="said"></p><script>'
                        "f.onload = () => { const e = f.contentDocument.documentElement;"
                        'said.textContent = "width " + e.scrollWidth + " of " + e.clientWidth +'
                        '" title " + f.contentDocument.title.length; }</script>'
                    )
                said = self.chromium(
                    "--disable-web-security",
                    "--allow-file-access-from-files",
                    "--virtual-time-budget=5000",
                    "--dump-dom",
                    "file://" + frame,
                )
                found = re.search(r"width (\d+) of (\d+) title (\d+)", said)
                self.assertIsNotNone(found, said)
                self.assertEqual(found[1], found[2], f"{name} at {width}")
                self.assertEqual(int(found[2]), width)
                self.assertGreater(int(found[3]), 40, "the script in the name must not run")

    def test_it_can_be_printed(self):
        printed = os.path.join(self.folder, "report.pdf")
        for name in ("red", "outside"):
            page = "file://" + self.report(name, "html")
            self.chromium(f"--print-to-pdf={printed}", "--no-pdf-header-footer", page)
            with open(printed, "rb") as file:
                self.assertTrue(file.read().startswith(b"%PDF-"))


def main():
    real_twinrun.parse(__doc__, "--chromium")
    kinds = (Page,) if ARGUMENTS.chromium else (JUnit, Schema, Bundle)
    return real_twinrun.run(map(unittest.defaultTestLoader.loadTestsFromTestCase, kinds))


if __name__ == "__main__":
    sys.exit(main())
