#!/usr/bin/env bash
# gpu_step.sh BUILD OUT: the work of the speed figures on a GPU, ours and PEFT's in the same run: the random
# 1.2 B Llama of bench/cases/llama-1.2b.yaml, and SmolLM2 4 x 128. TWINRUN_PYTHON is a Python with PEFT.
# Writes OUT/step_*.json and OUT/peft_*.json, prints a line each. What fails is said and does not stop the rest.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1 out=$2 python=${TWINRUN_PYTHON:-python3} failed=0
mkdir -p "$out"
measure() {
  local name=$1
  shift
  if "$@" > "$out/$name.json" 2> "$out/$name.log"; then
    "$python" - "$name" "$out/$name.json" << 'PY'
import json, sys

figures = json.load(open(sys.argv[2]))
tokens, memory = figures.get("tokens_per_s"), figures.get("peak_memory_bytes")
print(f"{sys.argv[1]:<28} {figures['step_ms_median']:9.2f} ms {tokens or 0:9.0f} tokens/s {(memory or 0) / 1e9:6.1f} GB")
PY
  else
    echo "$name FAILED: $(tail -1 "$out/$name.log")"
    failed=1
  fi
}
large=bench/cases/llama-1.2b small=bench/cases/smollm2-step.yaml
for numerics in fast deterministic; do
  measure "step_$numerics" "$build/bin/step" $large.yaml --set device=cuda --set numerics=$numerics --kernels
done
measure step_checkpointed "$build/bin/step" $large.yaml --set device=cuda --set train.activation_checkpointing=true
measure step_8b "$build/bin/step" bench/cases/llama-8b.yaml --set device=cuda --steps 5
peft() {
  local name=$1
  shift
  measure "peft_$name" env CUBLAS_WORKSPACE_CONFIG=:4096:8 "$python" bench/peft_step.py "$@" --device cuda --dtype bfloat16
}
work=("$large.json" --batch-size 8 --length 1024 --rank 16 --dropout 0.05 --warmup 5 --steps 15)
peft eager "${work[@]}"
peft eager_deterministic "${work[@]}" --deterministic
peft eager_no_fill "${work[@]}" --deterministic --no-fill
if [ "${COMPILED:-1}" = 1 ]; then
  peft compiled "${work[@]}" --compile
  peft compiled_deterministic "${work[@]}" --compile --deterministic
fi
model=.cache/models/smollm2-135m-instruct
if [ -e "$model/config.json" ]; then
  measure step_smollm2 "$build/bin/step" $small --set device=cuda --set model.dtype=bfloat16
  peft smollm2 "$model" --batch-size 4 --length 128 --dropout 0.05 --warmup 10 --steps 50
fi
exit $failed
