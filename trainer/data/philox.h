#pragma once

#include <array>
#include <cstdint>

namespace twinrun::trainer {

/// Philox4x32-10: 128 random bits from a 128-bit counter and a 64-bit key.
/// Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11; constants of its section 4.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// The key of a seed below 2^53: low and high 32 bits.
inline std::array<std::uint32_t, 2> philox_key(std::uint64_t seed) {
  return {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
}

/// First word of every counter: which stream it belongs to; docs/numerics.md has the layouts.
enum class PhiloxStream : std::uint32_t { kDropout = 1, kShuffle = 2, kModelInit = 3, kSynthetic = 4 };

}  // namespace twinrun::trainer
