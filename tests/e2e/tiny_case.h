#pragma once

#include "tests/e2e/toy_case.h"

namespace twinrun {

/// A case of three steps for twinrun-train itself: a tiny random Llama on the CPU, one thread.
class TinyCase : public ToyCase {
 protected:
  TinyCase() {
    write("model.json",
          R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
              "vocab_size": 61, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
              "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-5,
              "rope_theta": 10000.0, "tie_word_embeddings": false})");
    // A constant rate, so that B is no longer zero at step 2 and dropout reaches the loss.
    write("case.yaml", R"(
schema: 1
name: tiny
model: {config: model.json, init: random, seed: 7, dtype: float32}
data: {synthetic: {samples: 32, length: 12, vocab_size: 61, seed: 3}}
lora: {rank: 4, alpha: 8, dropout: 0.1, target_modules: all-linear}
train: {steps: 3, batch_size: 4, optimizer: {name: adamw, lr: 1.0e-2}}
seed: 42
numerics: deterministic
device: cpu
threads: 1
)");
  }
};

}  // namespace twinrun
