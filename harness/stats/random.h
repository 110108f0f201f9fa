#pragma once

#include <cstdint>

namespace twinrun::harness {

/// Random numbers that are the same on every machine: number n is a mix of seed + n * kGap.
/// Distributions of the standard library differ between libraries and are not used. Steele, Lea,
/// Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, figure 17 (SplitMix64).
/// Seeds that differ by a multiple of kGap give the same numbers, shifted: take them from a digest
/// or count them up.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    constexpr std::uint64_t kGap = 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_ += kGap;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  /// In (0, 1): 53 bits and a half.
  double uniform() { return (static_cast<double>(next() >> 11) + 0.5) * 0x1p-53; }

  /// In [0, bound), without bias. REQUIRES: bound > 0.
  /// Lemire, "Fast random integer generation in an interval", TOMACS 2019, section 4.
  std::uint32_t below(std::uint32_t bound) {
    const std::uint32_t rejected = (0u - bound) % bound;
    for (;;) {
      const std::uint64_t product = (next() >> 32) * bound;
      if (static_cast<std::uint32_t>(product) >= rejected) {
        return static_cast<std::uint32_t>(product >> 32);
      }
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace twinrun::harness
