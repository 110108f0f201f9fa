#!/usr/bin/env bash
# gpu_faults.sh BUILD: every planted fault (docs/faults.md) in run a of the case on a GPU, three steps; the
# verdict must be the one that docs/faults.md states. (The first learning rate is 0, so B is still zero at
# step 2: dropout reaches the gradient there, not yet the loss.) The exit code is the number of faults missed.
set -uo pipefail
cd "$(dirname "$0")/.."
build=$1 missed=0 runs=$(mktemp -d)

while read -r kind step want field; do
  "$build/bin/twinrun" verify baselines/smollm2-chat/case.yaml --out "$runs/$kind" --quiet --json \
    --set device=cuda --set train.steps=3 --set verify.step_timeout_s=20 \
    --inject "a:$kind@$step" > "$runs/$kind.json" 2> "$runs/$kind.err"
  got=$(python3 - "$runs/$kind.json" << 'PY'
import json, sys
verdict = json.load(open(sys.argv[1]))
first = (verdict["comparisons"] or [{}])[0].get("first") or {}
print(verdict["verdict"], first.get("step", "-"), first.get("field", "-"))
PY
  )
  read -r verdict at name <<< "$got"
  state=ok
  [[ $verdict == "$want" && ($field == - || $name == "$field") ]] || { state=MISSED; ((missed++)); }
  printf '%-18s step %s  %-15s first: step %s %-10s %s\n' "$kind" "$step" "$verdict" "$at" "$name" "$state"
done << 'TABLE'
seed 0 NOT_REPRODUCED adapter
data-order 2 NOT_REPRODUCED samples
skip-batch 2 NOT_REPRODUCED samples
duplicate-batch 2 NOT_REPRODUCED samples
tokenizer 2 NOT_REPRODUCED batch
loss-mask 2 NOT_REPRODUCED batch
dropout-unseeded 2 NOT_REPRODUCED grad
lora-alpha 2 NOT_REPRODUCED grad
stale-checkpoint 3 NOT_REPRODUCED loss
lr 2 NOT_REPRODUCED lr
lr-0.1 2 NOT_REPRODUCED lr
lr-5 2 NOT_REPRODUCED lr
weight-decay 2 NOT_REPRODUCED adapter
beta2 2 NOT_REPRODUCED adapter
eps 2 NOT_REPRODUCED adapter
loss-ulp 2 NOT_REPRODUCED loss
grad-ulp 2 NOT_REPRODUCED grad
adapter-ulp 2 NOT_REPRODUCED adapter
base-bit 2 NOT_REPRODUCED -
nan 2 NOT_REPRODUCED loss
drop-line 2 INVALID -
truncate 2 INVALID -
constant 2 NOT_REPRODUCED -
crash 2 INVALID -
hang 2 INVALID -
stderr-commands 2 REPRODUCED -
TABLE
exit "$missed"
