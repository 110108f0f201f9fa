#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>

#include "trainer/data/philox.h"

namespace twinrun::trainer {

/// Rounding noise on demand, to test how the judge treats runs that promise no bits
/// (`launch.shuffle_reductions`): each product sums the same terms in an order of its own, as
/// atomic additions would. Nothing else changes, so that the noise has no direction.
class ReductionShuffle {
 public:
  /// REQUIRES: seed < 2^53.
  explicit ReductionShuffle(std::uint64_t seed) : seed_(seed), orders_(orders_of(0)) {}

  /// The orders of a step follow from the seed and the step alone: a run that is resumed has them
  /// again, and what is computed between two steps moves none.
  void begin_step(std::int64_t step) { orders_ = orders_of(step); }

  /// a [M, K] and b [K, N] with the K in the next order.
  std::pair<at::Tensor, at::Tensor> operands(const at::Tensor& a, const at::Tensor& b);

 private:
  PhiloxSequence orders_of(std::int64_t step) const {
    return {PhiloxStream::kReductions, static_cast<std::uint32_t>(step), seed_};
  }

  std::uint64_t seed_;
  PhiloxSequence orders_;
};

}  // namespace twinrun::trainer
