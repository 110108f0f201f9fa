#pragma once

#include <cstdint>
#include <optional>

namespace twinrun::trainer {

/// Scaling of rotary frequencies as Llama 3.1 has it (`rope_type: llama3` of transformers). Of a
/// frequency f, `original_max_positions` positions are x = original_max_positions f / (2 pi) turns:
/// f / factor below low_freq_factor turns, f above high_freq_factor, and between them
/// (1 - s) f / factor + s f with s = (x - low_freq_factor) / (high_freq_factor - low_freq_factor).
struct Llama3Scaling {
  double factor = 1, low_freq_factor = 1, high_freq_factor = 4;  ///< positive, high above low
  std::int64_t original_max_positions = 0;

  bool operator==(const Llama3Scaling&) const = default;
};

/// Rotary position embeddings of a model: the frequency of index i is theta^(-2 i / head_dim), then
/// scaled.
struct RopeConfig {
  double theta = 10000.0;
  std::optional<Llama3Scaling> llama3{};

  bool operator==(const RopeConfig&) const = default;
};

}  // namespace twinrun::trainer
