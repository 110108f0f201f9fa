#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace twinrun::harness {

/// The floats in their order as integers, both zeros at 0: neighbours are 1 apart.
template <typename Float>
std::int64_t place_of(Float value) {
  if constexpr (sizeof value == 4) {
    const auto bits = std::bit_cast<std::int32_t>(value);
    return bits >= 0 ? bits : -static_cast<std::int64_t>(bits & 0x7fffffff);
  } else {
    const auto bits = std::bit_cast<std::int64_t>(value);
    return bits >= 0 ? bits : -(bits & 0x7fffffffffffffff);
  }
}

/// Distance of two finite floats in units in the last place; 0 also for -0.0 and 0.0.
template <typename Float>
std::uint64_t ulps_between(Float a, Float b) {
  // Unsigned, since the two may lie further apart than a signed integer reaches.
  const auto low = static_cast<std::uint64_t>(std::min(place_of(a), place_of(b)));
  const auto high = static_cast<std::uint64_t>(std::max(place_of(a), place_of(b)));
  return high - low;
}

}  // namespace twinrun::harness
