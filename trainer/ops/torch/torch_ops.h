#pragma once

#include <memory>

#include "trainer/ops/op_set.h"

namespace twinrun::trainer {

/// Who decides in which order products on a GPU sum.
enum class GpuSums {
  kLibrary,  ///< ATen and its libraries, split as they like
  kFixed,    ///< LtProducts; the gradients of A and B as add_product_in_parts
};

/// make_torch_ops() has kLibrary. On a CPU both are the same.
std::unique_ptr<OpSet> make_torch_ops(GpuSums gpu_sums);

}  // namespace twinrun::trainer
