#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "harness/protocol/inference.h"

namespace twinrun::trainer {

/// The `count` most probable tokens, falling, of equals the smaller id first; logprobs[i] is that
/// of token i. REQUIRES: all are finite, 1 <= count <= logprobs.size().
std::vector<protocol::TokenLogprob> top_tokens(std::span<const float> logprobs, std::int64_t count);

/// Whether none is NaN or infinite.
bool all_finite(std::span<const float> values);

}  // namespace twinrun::trainer
