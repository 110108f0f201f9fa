#!/usr/bin/env bash
# mode_cost.sh BUILD OUT: what `deterministic` costs over `fast`: a step of the random 1.2 B Llama in
# bfloat16, 8 x 1024 ids, in fresh processes in the order fast, deterministic, deterministic, fast, three
# times over, so that a machine that drifts does so for both. The first five steps of a process are left
# out, and its figure is the median of the rest. The ratio is that of a block: (det + det) / (fast + fast).
# Digests cannot be switched off, so what they cost is measured by leaf_hash on as many bytes as a step
# hashes: adapter, gradient and two moments. Prints a table, writes OUT/mode_cost.jsonl.
#
# CASE, DEVICE, STEPS, BLOCKS: another case, device, number of steps (55) and of blocks (3).
set -euo pipefail
cd "$(dirname "$0")/.."
export BUILD=$1 OUT=$2 CASE=${CASE:-bench/cases/llama-1.2b.yaml} DEVICE=${DEVICE:-cuda}
export STEPS=${STEPS:-55} BLOCKS=${BLOCKS:-3}
mkdir -p "$OUT"
exec python3 - << 'PY'
import json, math, os, pathlib, statistics, subprocess, sys, tempfile

build, out, case, device = (os.environ[name] for name in ("BUILD", "OUT", "CASE", "DEVICE"))
steps, blocks = int(os.environ["STEPS"]), int(os.environ["BLOCKS"])
DISCARDED = 5


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"FAILED (exit {done.returncode}): {' '.join(command)}\n{done.stderr}")
    return done.stdout


def train(mode):
    """Median milliseconds of a step, bytes of the adapter, and the manifest of a fresh process."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "run"
        run([f"{build}/bin/twinrun", "train", case, "--run-dir", str(folder), "--quiet",
             "--set", f"numerics={mode}", "--set", f"device={device}", "--set", f"train.steps={steps}"])
        times = [json.loads(line)["ms"] for line in open(folder / "timings.jsonl")]
        if len(times) != steps:
            sys.exit(f"{len(times)} timings of {steps} steps")
        adapter = (folder / "adapter" / "adapter_model.safetensors").stat().st_size
        manifest = json.load(open(folder / "manifest.json"))
    return statistics.median(times[DISCARDED:]), adapter, manifest


record = open(f"{out}/mode_cost.jsonl", "w")


def note(row):
    record.write(json.dumps(row) + "\n")
    record.flush()


figures, ratios = {"fast": [], "deterministic": []}, []
for block in range(blocks):
    for mode in ("fast", "deterministic", "deterministic", "fast"):
        ms, adapter, manifest = train(mode)
        figures[mode].append(ms)
        note({"kind": "process", "block": block, "numerics": mode, "step_ms_median": ms,
              "steps_counted": steps - DISCARDED, "switches": manifest["switches"],
              "device": manifest["device"], "versions": manifest["versions"]})
        print(f"block {block}  {mode:<14} {ms:9.3f} ms a step (median of {steps - DISCARDED})", flush=True)
    ratios.append(sum(figures["deterministic"][-2:]) / sum(figures["fast"][-2:]))

mib = math.ceil(4 * adapter / 2**20)
hashing = json.loads(run([f"{build}/bin/leaf_hash", str(mib)]))
fast, deterministic = (statistics.median(figures[mode]) for mode in ("fast", "deterministic"))
summary = {"kind": "summary", "case": case, "blocks": blocks, "fast_step_ms": fast,
           "deterministic_step_ms": deterministic, "ratio_median": statistics.median(ratios),
           "ratio_min": min(ratios), "ratio_max": max(ratios), "digest_bytes": hashing["bytes"],
           "digest_device_ms": hashing["device_ms_median"],
           "digest_host_ms": hashing["digests_host_ms_median"],
           "digest_device_share": hashing["device_ms_median"] / deterministic}
note(summary)
rows = [
    ("fast", fast, f"ms a step (median of {2 * blocks} processes)"),
    ("deterministic", deterministic, "ms a step"),
    ("ratio", summary["ratio_median"],
     f"(median of {blocks} blocks; {min(ratios):.4f} to {max(ratios):.4f})"),
    ("digests on the device", summary["digest_device_ms"],
     f"ms for {hashing['bytes'] / 1e6:.0f} MB, {100 * summary['digest_device_share']:.2f} % of a step"),
    ("digests on the host", summary["digest_host_ms"], "ms, beside the next step"),
]
print()
for name, value, unit in rows:
    print(f"{name:<22}{value:>10.4f} {unit}")
PY
