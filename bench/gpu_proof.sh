#!/usr/bin/env bash
# gpu_proof.sh BUILD OUT: on a machine with a GPU, with programs that are built already: the gpu tests,
# the case in float32, bfloat16, with accumulation and in `fast`, the leaf hash, a 1.2 B step; of portable
# arithmetic the unary functions, the products, the frozen curves and a 1.2 B step.
# Writes results.jsonl and the verdicts into OUT; the exit code is the number of steps that failed.
set -uo pipefail
cd "$(dirname "$0")/.."
build=$1 out=$2 failed=0 runs=$(mktemp -d)
verify="$build/bin/twinrun verify baselines/smollm2-chat/case.yaml --set device=cuda"

# expect NAME EXIT COMMAND...: runs it, keeps its output in OUT/log, counts another exit code as failed.
expect() {
  local name=$1 want=$2 started=$SECONDS
  shift 2
  printf '\n== %s: %s\n' "$name" "$*"
  "$@"
  local got=$?
  ((got == want)) || { ((failed++)); echo "FAILED: exit $got, wanted $want"; }
  printf '{"name":"%s","exit":%d,"wanted":%d,"seconds":%d}\n' "$name" "$got" "$want" \
    $((SECONDS - started)) >> "$out/results.jsonl"
}

nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
expect gpu-tests 0 env TWINRUN_REQUIRE_GPU=1 "$build/tests/trainer_gpu_test"
expect verify-float32 0 $verify --out "$runs/f32"
expect verify-bfloat16 0 $verify --out "$runs/bf16" --set model.dtype=bfloat16
expect verify-accumulation 0 $verify --out "$runs/acc" --set model.dtype=bfloat16 \
  --set train.gradient_accumulation=3 --set train.steps=4
expect verify-checkpointing 0 $verify --out "$runs/checkpointing" --set model.dtype=bfloat16 \
  --set train.activation_checkpointing=true
expect checkpointing-same 0 cmp "$runs/bf16/a/steps.jsonl" "$runs/checkpointing/a/steps.jsonl"
expect verify-packing 0 $verify --out "$runs/packing" --set model.dtype=bfloat16 --set data.packing=true
packed="--set data.packing=true --set numerics=portable --set train.steps=3"
expect portable-packing 0 $verify --out "$runs/portable-packing" $packed
expect portable-packing-cpu 0 "$build/bin/twinrun" train baselines/smollm2-chat/case.yaml --quiet \
  --run-dir "$runs/packing-cpu" --set device=cpu $packed
expect packing-same 0 cmp "$runs/portable-packing/a/steps.jsonl" "$runs/packing-cpu/steps.jsonl"
expect verify-fast 3 $verify --out "$runs/fast" --set numerics=fast --set model.dtype=bfloat16
expect leaf-hash 0 "$build/bin/leaf_hash"
mkdir "$runs/large"
expect train-1.2b 0 "$build/bin/twinrun" train bench/cases/llama-1.2b.yaml --run-dir "$runs/large" --quiet
expect unary 0 "$build/bin/unary_gpu"
expect portable-gemm 0 "$build/bin/portable_gemm" --gpu
for name in llama-tiny-grouped llama-tiny-untied smollm2-portable; do
  expect "replay-$name" 0 "$build/bin/twinrun" verify "baselines/$name/case.yaml" --quiet \
    --set device=cuda --out "$runs/$name" --baseline --on-missing-baseline fail
done
expect portable-1.2b 0 "$build/bin/twinrun" train bench/cases/llama-1.2b.yaml --run-dir "$runs/portable" \
  --quiet --set numerics=portable --set model.dtype=float32 --set train.batch_size=2 --set train.steps=12
for name in f32 bf16; do
  cp "$runs/$name/verdict.json" "$out/verdict-$name.json"
  echo "step ms, SmolLM2 $name:" $(sed 's/.*"ms":\([0-9.]*\).*/\1/' "$runs/$name/a/timings.jsonl")
done
cp "$runs/f32/a/manifest.json" "$out/manifest-f32.json"
echo "step ms, 1.2 B portable:" $(sed 's/.*"ms":\([0-9.]*\).*/\1/' "$runs/portable/timings.jsonl")
echo "step ms, 1.2 B:" $(sed 's/.*"ms":\([0-9.]*\).*/\1/' "$runs/large/timings.jsonl")
exit "$failed"
