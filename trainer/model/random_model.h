#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trainer/model/model_config.h"

namespace twinrun::trainer {

/// The float32 values of tensor `name` of an `init: random` model, row-major: 1 for the weights of
/// norms, for all others uniform in [-a, a) with a = 0.02 sqrt(3), a standard deviation of 0.02.
/// The same bits on every machine; docs/numerics.md has the counter layout.
///
/// The names are those of expected_tensors(config). Throws ModelError for any other.
std::vector<float> random_tensor(const ModelConfig& config, std::uint64_t seed,
                                 const std::string& name);

}  // namespace twinrun::trainer
