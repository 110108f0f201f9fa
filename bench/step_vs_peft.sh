#!/usr/bin/env bash
# step_vs_peft.sh BUILD [ROUNDS]: the CPU step of bench/cases/smollm2-step.yaml against PEFT's on the same work,
# in turns, with dropout 0 and 0.05. TWINRUN_PYTHON is the Python of ci/bootstrap. Prints the median
# milliseconds of each turn (the first two steps left out) and the ratio of the medians of all turns.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1 rounds=${2:-3}
ours() {
  local run
  run=$(mktemp -d)
  "$build/bin/twinrun" train bench/cases/smollm2-step.yaml --run-dir "$run" --quiet \
    --set "lora.dropout=$1" --set device=cpu > /dev/null
  sed 's/.*"ms":\([0-9.]*\).*/\1/' "$run/timings.jsonl" | tail -n +3 | sort -n | sed -n 3p
  rm -r "$run"
}
theirs() {
  "$TWINRUN_PYTHON" bench/peft_step.py .cache/models/smollm2-135m-instruct --dropout "$1" --steps 5 \
    --threads "$(nproc)" | sed -n 's/.*"step_ms_median": \([0-9.]*\).*/\1/p'
}
for dropout in 0 0.05; do
  for ((round = 0; round < rounds; ++round)); do
    echo "$dropout $(ours "$dropout") $(theirs "$dropout")"
  done
done | awk '
  function median(list, n,   i, j, t) {
    for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (list[j] < list[i]) {
      t = list[i]; list[i] = list[j]; list[j] = t }
    return list[int((n + 1) / 2)] }
  function report() { if (n) printf "dropout %s: twinrun %.0f ms, PEFT %.0f ms, ratio %.2f (medians of %d turns)\n",
    name, median(a, n), median(b, n), median(a, n) / median(b, n), n }
  !started || $1 != name { report(); name = $1; n = 0; started = 1 }
  { n++; a[n] = $2; b[n] = $3; print "  dropout " $1 ": twinrun " $2 " ms, PEFT " $3 " ms" }
  END { report() }'
