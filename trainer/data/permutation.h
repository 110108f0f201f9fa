#pragma once

#include <cstdint>
#include <vector>

#include "trainer/data/philox.h"

namespace twinrun::trainer {

/// 0, 1, ..., count - 1 in an order drawn from `sequence`: Fisher-Yates with unbiased draws;
/// docs/numerics.md, "Shuffle". REQUIRES: 0 <= count < 2^32.
std::vector<std::int64_t> permutation(std::int64_t count, PhiloxSequence& sequence);

}  // namespace twinrun::trainer
