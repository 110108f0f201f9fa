#pragma once

#include "trainer/lora/adapter.h"
#include "trainer/model/model_config.h"

namespace twinrun::trainer {

/// Two blocks, two query heads over one key/value head: every code path in milliseconds.
inline ModelConfig tiny_config(std::int64_t sliding_window = 0) {
  ModelConfig config;
  config.vocab_size = 61;
  config.hidden_size = 32;
  config.intermediate_size = 48;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.num_key_value_heads = 1;
  config.head_dim = 16;
  config.rms_norm_eps = 1e-5;
  config.sliding_window = sliding_window;
  return config;
}

inline LoraConfig tiny_lora() {
  return {.rank = 4,
          .alpha = 8,
          .dropout = 0,
          .target_modules = {kModuleNames.begin(), kModuleNames.end()}};
}

}  // namespace twinrun::trainer
