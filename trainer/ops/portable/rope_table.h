#pragma once

#include <cstdint>

#include "trainer/ops/rope_config.h"

/// Rotary position embeddings from a model's `rope_theta`, the same bits on every machine.
/// Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", arXiv:2104.09864.
namespace twinrun::trainer::portable {

/// The float nearest to theta^(-2 index / head_dim), or to what llama3 scaling makes of it, from a
/// value with a relative error below 2^-80, or 2^-70 where that scales.
///
/// Throws std::domain_error unless theta >= 1 is finite, head_dim is even and positive and
/// 0 <= index < head_dim / 2; and where the value is too near to the middle between two floats for
/// that error to decide between them.
float portable_inv_freq(const RopeConfig& rope, std::int64_t index, std::int64_t head_dim);

/// cos and sin of angle(t, i) = float(t) * portable_inv_freq(rope, i, head_dim), a float32 product
/// as in Hugging Face's Llama, by portable_cos and portable_sin. Throws as portable_inv_freq.
///
///   cos, sin  [length, head_dim / 2], row-major; row t is position t
void rope_table(const RopeConfig& rope, std::int64_t head_dim, std::int64_t length, float* cos,
                float* sin);

}  // namespace twinrun::trainer::portable
