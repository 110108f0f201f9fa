"""What the tests of the real `twinrun` share: their arguments, its verdicts, the examples."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import unittest

ARGUMENTS = argparse.Namespace()  # of the command line, once main() has read it


def verify(case, out, *flags):
    """Exit code and verdict.json of `twinrun verify`; python3 is the Python that runs this."""
    environment = dict(os.environ)
    environment["PATH"] = os.path.dirname(sys.executable) + os.pathsep + environment["PATH"]
    process = subprocess.run(
        [ARGUMENTS.twinrun, "verify", case, "--out", out, "--quiet", *flags],
        env=environment,
        capture_output=True,
        text=True,
    )
    path = os.path.join(out, "verdict.json")
    if not os.path.exists(path):
        raise AssertionError(f"no verdict, exit {process.returncode}: {process.stderr}")
    with open(path, encoding="utf-8") as file:
        return process.returncode, json.load(file)


def example(name):
    """The case of an example."""
    return os.path.join(ARGUMENTS.source, "ci", "examples", name, "case.yaml")


def copy_example(folder, name, *changes):
    """The same of a copy in `folder`, in whose train.py each (old, new) was replaced."""
    copy = os.path.join(folder, "examples")
    shutil.copytree(os.path.join(ARGUMENTS.source, "ci", "examples"), copy)
    train = os.path.join(copy, name, "train.py")
    with open(train, encoding="utf-8") as file:
        text = file.read()
    for old, new in changes:
        if text.count(old) != 1:
            raise AssertionError(f"{train} says {text.count(old)} times: {old}")
        text = text.replace(old, new)
    with open(train, "w", encoding="utf-8") as file:
        file.write(text)
    return os.path.join(copy, name, "case.yaml")


def parse(description, *flags):
    """Fills ARGUMENTS: --twinrun, --source, and `flags`, which may be missing."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for flag in ("--twinrun", "--source"):
        parser.add_argument(flag, required=True)
    for flag in flags:
        parser.add_argument(flag)
    parser.parse_args(namespace=ARGUMENTS)


def run(suite):
    """The exit code of a suite, or of a list of them: a suite without tests fails."""
    result = unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(suite))
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


def main(description):
    """Every test of the program; its exit code."""
    parse(description)
    return run(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]))
