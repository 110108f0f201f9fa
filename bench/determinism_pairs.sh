#!/usr/bin/env bash
# determinism_pairs.sh BUILD OUT [PAIRS]: how often do two fresh processes give other bits? PAIRS (10)
# independent pairs of three steps of SmolLM2, 8 x 512 random ids, in each of four configurations, in
# `deterministic` and, for contrast, in `fast`; four processes at a time, so that the GPU is never quiet.
# A pair differs if its steps.jsonl do. Prints a row a configuration, with the upper 95 % bound of the
# rate (Clopper-Pearson, one-sided), and writes them to OUT/determinism_pairs.jsonl. The exit code is 1 if a
# deterministic pair differs or a process fails.
#
# CASE, DEVICE, JOBS and LENGTH: another case (it needs a vocabulary of 49,152), device, number of processes
# at a time, length of a sample.
set -euo pipefail
cd "$(dirname "$0")/.."
export BUILD=$1 OUT=$2 PAIRS=${3:-10} CASE=${CASE:-baselines/smollm2-chat/case.yaml}
export DEVICE=${DEVICE:-cuda} JOBS=${JOBS:-4} LENGTH=${LENGTH:-512}
export OMP_WAIT_POLICY=PASSIVE  # processes at the same time must not spin on each other's cores
mkdir -p "$OUT"
exec python3 - << 'PY'
import json, math, os, pathlib, shutil, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor

build, out, case = (os.environ[name] for name in ("BUILD", "OUT", "CASE"))
pairs, jobs, length = (int(os.environ[name]) for name in ("PAIRS", "JOBS", "LENGTH"))
CONFIGURATIONS = [  # name, dtype, micro-batches, length of a sample
    ("float32", "float32", 1, length),
    ("bfloat16", "bfloat16", 1, length),
    ("bfloat16, 3 micro-batches", "bfloat16", 3, length),
    ("bfloat16, odd lengths", "bfloat16", 1, length - 3),  # no multiple of a tile of attention
]


def upper_bound(differing, trials, level=0.95):
    """The largest rate at which so few differing pairs still have a chance of 1 - level."""
    if differing == trials:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        chance = sum(math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k)
                     for k in range(differing + 1))
        low, high = (rate, high) if chance > 1 - level else (low, rate)
    return high


def train(folder, mode, dtype, accumulation, samples_length):
    """The lines of a run's steps.jsonl; None if the process failed."""
    shutil.rmtree(folder, ignore_errors=True)
    data = f"data={{synthetic: {{samples: 96, length: {samples_length}, vocab_size: 49152, seed: 1}}}}"
    sets = [f"numerics={mode}", f"model.dtype={dtype}", f"device={os.environ['DEVICE']}",
            f"train.gradient_accumulation={accumulation}", "train.steps=3", data,
            "record.tensors_every=0"]
    command = [f"{build}/bin/twinrun", "train", case, "--run-dir", str(folder), "--quiet"]
    for one in sets:
        command += ["--set", one]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = (folder / "steps.jsonl").read_bytes().split(b"\n") if done.returncode == 0 else None
    if lines is None:
        sys.stderr.write(f"FAILED (exit {done.returncode}): {' '.join(command)}\n{done.stderr}")
    shutil.rmtree(folder, ignore_errors=True)
    return lines


def measure(name, mode, *settings):
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(jobs) as pool:
        folders = [pathlib.Path(scratch) / str(i) for i in range(2 * pairs)]
        runs = list(pool.map(lambda folder: train(folder, mode, *settings), folders))
    whole = [(a, b) for a, b in zip(runs[::2], runs[1::2]) if a is not None and b is not None]
    # Line 0 is the header and line 1 step 0, so a differing line names its step.
    firsts = [next(i for i in range(max(len(a), len(b))) if a[i:i + 1] != b[i:i + 1]) - 1
              for a, b in whole if a != b]
    return {"configuration": name, "numerics": mode, "pairs": len(whole), "differing": len(firsts),
            "failed_processes": runs.count(None), "first_differing_steps": firsts,
            "rate_upper_95": upper_bound(len(firsts), len(whole)) if whole else None,
            "seconds": round(time.monotonic() - started, 1)}


bad = False
print(f"{'configuration':<28}{'numerics':<15}{'pairs':>6}{'differing':>11}{'rate below (95 %)':>19}")
with open(f"{out}/determinism_pairs.jsonl", "w") as record:
    for mode in ("deterministic", "fast"):
        for name, *settings in CONFIGURATIONS:
            row = measure(name, mode, *settings)
            record.write(json.dumps(row) + "\n")
            record.flush()
            bound = "-" if row["rate_upper_95"] is None else f"{100 * row['rate_upper_95']:.1f} %"
            print(f"{name:<28}{mode:<15}{row['pairs']:>6}{row['differing']:>11}{bound:>19}", flush=True)
            bad |= row["failed_processes"] > 0 or (mode == "deterministic" and row["differing"] > 0)
sys.exit(bad)
PY
