#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>

#include "trainer/ops/op_set.h"

namespace twinrun::trainer {

/// The sum of what a step's micro-batches bring (gradients, or losses), always ((p0 + p1) + p2) +
/// ... in the order of their index, so that it does not matter who computes them and which is done
/// first.
class MicroBatchSum {
 public:
  /// Sums into `sum`, whose values do not count.
  MicroBatchSum(OpSet& ops, at::Tensor sum) : ops_(ops), sum_(std::move(sum)) {}

  /// Takes the part of micro-batch `index`, counted from 0 within the step. A part that comes
  /// before its turn is kept until then as it is: do not write into it. Throws c10::Error for an
  /// index that was there already.
  void add(std::int64_t index, const at::Tensor& part);

  /// The sum of `count` parts. Throws c10::Error unless exactly the indices below `count` came.
  const at::Tensor& finish(std::int64_t count) const;

 private:
  OpSet& ops_;
  at::Tensor sum_;
  std::int64_t next_ = 0;
  std::map<std::int64_t, at::Tensor> early_;
};

}  // namespace twinrun::trainer
