"""What the action tells of a finished `twinrun verify`, read from the files in OUT.

facts.py outputs OUT    lines for GITHUB_OUTPUT: verdict, first-divergent-step
facts.py runs OUT       the names of the runs that the verdict is about
facts.py devices OUT    the kinds of device on which the runs trained, as their manifests say
facts.py records OUT    a line a run folder: its name and the number of whole lines recorded

Standard library only. What is printed holds only words and numbers that were checked, so that no text
of a case or a trainer gets into it.
"""

import json
import os
import re
import sys


def load(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return json.load(file)


def divergent_steps(verdict):
    found = [comparison["first"] for comparison in verdict["comparisons"]]
    found.append((verdict["baseline"] or {}).get("first"))
    return [first["step"] for first in found if first is not None]


def verdict_word(file):
    word = file["verdict"]
    if not re.fullmatch("[A-Z_]+", word):
        raise ValueError("a file of the output folder has no verdict")
    return word


def outputs(out):
    verdict = load(out, "verdict.json")
    word = verdict_word(verdict)
    if word == "REPRODUCED" and os.path.exists(os.path.join(out, "bench", "bench.json")):
        of_bench = verdict_word(load(out, "bench", "bench.json"))
        word = word if of_bench == "WITHIN_BUDGET" else of_bench
    steps = [int(step) for step in divergent_steps(verdict)]
    return [f"verdict={word}", f"first-divergent-step={min(steps) if steps else ''}"]


def runs(out):
    names = [run["name"] for run in load(out, "verdict.json")["runs"]]
    for name in names:
        if not re.fullmatch("[a-z]", name):
            raise ValueError("a run of verdict.json has a name that twinrun gives to none")
    return [" ".join(names)]


def devices(out):
    kinds = set()
    for run in load(out, "verdict.json")["runs"]:
        kind = (load(out, run["dir"], "manifest.json").get("device") or {}).get("type")
        kinds.add(kind if kind in ("cpu", "cuda") else "unknown")
    return [" ".join(sorted(kinds))]


def records(out):
    lines = []
    for folder, _, files in sorted(os.walk(out)):
        name = os.path.relpath(folder, out)
        if "steps.jsonl" in files and re.fullmatch("[a-z]+|controls/[a-z-]+", name):
            with open(os.path.join(folder, "steps.jsonl"), "rb") as file:
                lines.append(f"{name} {file.read().count(10)}")
    return lines


def main():
    what, out = sys.argv[1:]
    for line in {"outputs": outputs, "runs": runs, "devices": devices, "records": records}[what](
        out
    ):
        print(line)


if __name__ == "__main__":
    main()
