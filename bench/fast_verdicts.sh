#!/usr/bin/env bash
# fast_verdicts.sh BUILD OUT [--set KEY=VALUE]...: on a machine with a GPU, what `verify` says of bench/cases/smollm2-fast.yaml
# in `fast`: before it is calibrated, clean (CLEAN times, default 3), with a fault of each kind, and with a loss that is not
# finite in both runs. Needs the model and the data of baselines/smollm2-chat (its fetch.py). Writes verdicts.tsv, the
# calibration and a few verdicts into OUT.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1 out=$2
shift 2
case=bench/cases/smollm2-fast.yaml calibration=$out/calibration runs=$(mktemp -d)
mkdir -p "$out"
# Every tenth row is held out, if it ends with an answer.
python3 - .cache/data/chat <<'PY'
import json, sys
name = sys.argv[1]
with open(f"{name}.jsonl") as rows, open(f"{name}-heldout.jsonl", "w") as held, open(f"{name}-train.jsonl", "w") as train:
    for number, row in enumerate(rows):
        answered = json.loads(row)["messages"][-1]["role"] == "assistant"
        (held if number % 10 == 9 and answered else train).write(row)
PY

verify() { # NAME ARGS...
  local name=$1 code=0 started=$SECONDS
  shift
  "$build/bin/twinrun" verify "$case" --calibration "$calibration" --out "$runs/$name" --quiet "$@" \
    > "$runs/$name.txt" 2> "$runs/$name.err" || code=$?
  { echo "== $name (exit $code)"; cat "$runs/$name.txt" "$runs/$name.err"; } >> "$out/verdicts.txt"
  python3 - "$runs/$name/verdict.json" "$name" "$code" $((SECONDS - started)) <<'PY' | tee -a "$out/verdicts.tsv"
import json, sys
path, name, code, seconds = sys.argv[1:]
verdict = json.load(open(path))
reasons = [f'{c["name"]} {c["reason"]}' for c in verdict["checks"] if c["verdict"] != "NOT_RUN"]
scores = [f'{c["p"]:.2g}' for c in (verdict["statistics"] or {}).get("candidates", [])]
print(name, code, verdict["verdict"], "; ".join(reasons), "p " + " ".join(scores), f"{seconds} s", sep="\t")
PY
}

nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | tee "$out/gpu.txt"
verify uncalibrated "$@"
started=$SECONDS
"$build/bin/twinrun" calibrate "$case" --calibration "$calibration" --work "$runs/work" --jobs "${JOBS:-8}" --quiet "$@"
"$build/bin/twinrun" calibrate "$case" --calibration "$calibration" --accept --why 'fast_verdicts.sh' --who nobody "$@"
echo "calibrated in $((SECONDS - started)) s, ${JOBS:-8} runs at a time" | tee -a "$out/verdicts.txt"
for i in $(seq "${CLEAN:-3}"); do verify "clean-$i" "$@" & done
wait
for fault in lr-0.1@20 weight-decay@5 eps@5 lora-alpha@30 no-clipping@5 stale-checkpoint@30; do
  verify "$fault" --inject "b:$fault" "$@" &
done
verify nan-in-both --inject both:nan@35 "$@" &
wait
cp "$calibration"/*.json "$out/"
rm -rf "$calibration"
for name in uncalibrated clean-1 lora-alpha@30; do cp "$runs/$name/verdict.json" "$out/verdict-${name%@*}.json"; done
"$build/bin/twinrun" report "$runs/clean-1/verdict.json" --format html > "$out/report-clean.html"
