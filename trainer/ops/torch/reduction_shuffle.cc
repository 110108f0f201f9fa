#include "trainer/ops/torch/reduction_shuffle.h"

#include <ATen/ATen.h>

#include "trainer/data/permutation.h"

namespace twinrun::trainer {

std::pair<at::Tensor, at::Tensor> ReductionShuffle::operands(const at::Tensor& a,
                                                             const at::Tensor& b) {
  const auto order = at::tensor(permutation(a.size(1), orders_), at::kLong);
  return {a.index_select(1, order), b.index_select(0, order)};
}

}  // namespace twinrun::trainer
