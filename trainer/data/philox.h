#pragma once

#include <array>
#include <cstdint>

#include "trainer/host_device.h"

namespace twinrun::trainer {

/// 128 bits of a Philox counter, or of its output.
using PhiloxBlock = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;

/// Philox4x32-10: 128 random bits from a 128-bit counter and a 64-bit key.
/// Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11; constants of its section 4.
TWINRUN_HOST_DEVICE constexpr PhiloxBlock philox4x32(PhiloxBlock counter, PhiloxKey key) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  // Scalars, not the arrays: compilers keep them in vector lanes and in registers.
  std::uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  std::uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = kMultiplier0 * c0;
    const std::uint64_t product1 = kMultiplier1 * c2;
    c0 = static_cast<std::uint32_t>(product1 >> 32) ^ c1 ^ k0;
    c2 = static_cast<std::uint32_t>(product0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<std::uint32_t>(product1);
    c3 = static_cast<std::uint32_t>(product0);
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  return {c0, c1, c2, c3};
}

/// The key of a seed below 2^53: low and high 32 bits.
TWINRUN_HOST_DEVICE constexpr PhiloxKey philox_key(std::uint64_t seed) {
  return {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
}

/// Low 8 bits of the first word of every counter: which stream it belongs to. docs/numerics.md has
/// the layouts.
enum class PhiloxStream : std::uint32_t {
  kDropout = 1,
  kShuffle = 2,
  kModelInit = 3,
  kSynthetic = 4,
  kReductions = 5
};

/// The seven linears of a layer, each with a dropout mask of its own; part of the dropout counter.
enum class LinearModule : std::uint32_t {
  kQProj = 0,
  kKProj = 1,
  kVProj = 2,
  kOProj = 3,
  kGateProj = 4,
  kUpProj = 5,
  kDownProj = 6
};

/// Counter of the four dropout draws for elements 4 * block .. 4 * block + 3 of a module's input
/// [B, T, I], counted row-major over the padded micro-batch: element e takes word e % 4.
///
///   layer        0-based, below 2^20    block        element / 4
///   step         1-based                micro_batch  0-based, within the step
TWINRUN_HOST_DEVICE constexpr PhiloxBlock dropout_counter(std::uint32_t layer, LinearModule module,
                                                          std::uint32_t block, std::uint32_t step,
                                                          std::uint32_t micro_batch) {
  return {static_cast<std::uint32_t>(PhiloxStream::kDropout) |
              (static_cast<std::uint32_t>(module) << 8) | (layer << 12),
          block, step, micro_batch};
}

/// An element is kept iff its 32-bit draw >= this: round(p * 2^32), halves up, at most 2^32 - 1.
/// REQUIRES: 0 <= p < 1.
constexpr std::uint32_t dropout_threshold(double p) {
  const double scaled = p * 4294967296.0;  // exact: a power of two
  const auto whole = static_cast<std::uint64_t>(scaled);
  const std::uint64_t rounded = whole + (scaled - static_cast<double>(whole) >= 0.5 ? 1 : 0);
  return rounded > 0xFFFFFFFFu ? 0xFFFFFFFFu : static_cast<std::uint32_t>(rounded);
}

/// The 32-bit words of one stream in order, for draws that are not addressed by element: word n is
/// word n % 4 of philox4x32({stream, index, n / 4 low, n / 4 high}, key).
class PhiloxSequence {
 public:
  PhiloxSequence(PhiloxStream stream, std::uint32_t index, std::uint64_t seed)
      : stream_(static_cast<std::uint32_t>(stream)), index_(index), key_(philox_key(seed)) {}

  std::uint32_t next() {
    const std::uint64_t block = draws_ / 4;
    if (draws_ % 4 == 0) {
      block_ = philox4x32({stream_, index_, static_cast<std::uint32_t>(block),
                           static_cast<std::uint32_t>(block >> 32)},
                          key_);
    }
    return block_[draws_++ % 4];
  }

  /// Uniform in [0, bound), without bias: the high word of next() * bound, drawn again while the
  /// low word is below 2^32 mod bound. REQUIRES: bound > 0.
  /// Lemire, "Fast random integer generation in an interval", TOMACS 2019, section 4.
  std::uint32_t below(std::uint32_t bound) {
    const std::uint32_t rejected = (0u - bound) % bound;
    for (;;) {
      const std::uint64_t product = std::uint64_t{next()} * bound;
      if (static_cast<std::uint32_t>(product) >= rejected) {
        return static_cast<std::uint32_t>(product >> 32);
      }
    }
  }

  /// Words drawn so far, rejected ones included.
  std::uint64_t draws() const { return draws_; }

 private:
  std::uint32_t stream_, index_;
  PhiloxKey key_;
  PhiloxBlock block_{};
  std::uint64_t draws_ = 0;
};

}  // namespace twinrun::trainer
