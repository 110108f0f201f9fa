#!/usr/bin/env bash
# gpu_models.sh BUILD OUT: every model family, small and random, judged on a GPU: Llama, Llama with the rope
# scaling of 3.1, Mistral with a window shorter than its input; deterministic in float32 and bfloat16,
# portable in float32, whose steps.jsonl has to be that of the CPU byte for byte. Prints a line each; exit 1
# if one fails.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "$1") failed=0
mkdir -p "$2"
out=$(realpath "$2")
common='"hidden_act": "silu", "hidden_size": 320, "intermediate_size": 864, "num_hidden_layers": 4,
  "num_attention_heads": 5, "num_key_value_heads": 1, "vocab_size": 1000, "rms_norm_eps": 1e-05,
  "rope_theta": 500000.0, "tie_word_embeddings": false'
llama='"architectures": ["LlamaForCausalLM"], "model_type": "llama"'
scaling='"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
  "original_max_position_embeddings": 64}'
mistral='"architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": 50'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "{$common, $llama}" > "$work/llama.json"
echo "{$common, $llama, $scaling}" > "$work/llama3-rope.json"
echo "{$common, $mistral}" > "$work/mistral-window.json"
say() {
  printf '%-16s %-22s %s\n' "$1" "$2" "$3"
}
for model in llama llama3-rope mistral-window; do
  cat > "$work/$model.yaml" << YAML
schema: 1
name: $model
model: {config: $model.json, init: random, seed: 3, dtype: float32}
data: {synthetic: {samples: 64, length: 130, vocab_size: 1000, seed: 4}}
lora: {rank: 8, alpha: 16, dropout: 0.05, target_modules: all-linear}
train: {steps: 10, batch_size: 4, gradient_accumulation: 2, optimizer: {name: adamw, lr: 1.0e-3}}
seed: 7
numerics: deterministic
YAML
  for kind in deterministic-float32 deterministic-bfloat16 portable-float32; do
    log=$out/$model-$kind.txt
    if "$build/bin/twinrun" verify "$work/$model.yaml" --quiet --out "$work/$model-$kind" --set device=cuda \
      --set "numerics=${kind%-*}" --set "model.dtype=${kind#*-}" > "$log" 2>&1; then
      say "$model" "$kind" "$(head -1 "$log")"
    else
      say "$model" "$kind" "FAILED: $(head -1 "$log")"
      failed=1
    fi
  done
  "$build/bin/twinrun" train "$work/$model.yaml" --run-dir "$work/$model-cpu" --quiet --set device=cpu \
    --set numerics=portable > "$out/$model-cpu.txt" 2>&1 || failed=1
  if cmp "$work/$model-cpu/steps.jsonl" "$work/$model-portable-float32/a/steps.jsonl"; then
    say "$model" "CPU and GPU" "the same steps.jsonl"
  else
    say "$model" "CPU and GPU" "FAILED: steps.jsonl differs"
    failed=1
  fi
done
exit $failed
