#pragma once

#include <cstdint>

/// Rotary position embeddings from a model's `rope_theta`, the same bits on every machine.
/// Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", arXiv:2104.09864.
namespace twinrun::trainer::portable {

/// The float nearest to theta^(-2 index / head_dim), from a value with a relative error below
/// 2^-80.
///
/// Throws std::domain_error unless theta >= 1 is finite, head_dim is even and positive and
/// 0 <= index < head_dim / 2; and where the value is too near to the middle between two floats for
/// that error to decide between them.
float portable_inv_freq(double theta, std::int64_t index, std::int64_t head_dim);

/// cos and sin of angle(t, i) = float(t) * portable_inv_freq(theta, i, head_dim), a float32 product
/// as in Hugging Face's Llama, by portable_cos and portable_sin. Throws as portable_inv_freq.
///
///   cos, sin  [length, head_dim / 2], row-major; row t is position t
void rope_table(double theta, std::int64_t head_dim, std::int64_t length, float* cos, float* sin);

}  // namespace twinrun::trainer::portable
