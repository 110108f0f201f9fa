#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "trainer/ops/op_set.h"

namespace twinrun::trainer {

/// Who decides in which order products on a GPU sum.
enum class GpuSums {
  kLibrary,  ///< ATen and its libraries, split as they like
  kFixed,    ///< LtProducts; the gradients of A and B as add_product_in_parts
};

/// The vendor's kernels (LibTorch, cuBLAS, oneDNN, MKL): numerics `fast` with kLibrary,
/// `deterministic` with kFixed. On a CPU both are the same. `shuffle_reductions`: the seed of a
/// ReductionShuffle for the products, on a CPU only.
std::unique_ptr<OpSet> make_torch_ops(GpuSums gpu_sums = GpuSums::kLibrary,
                                      std::optional<std::uint64_t> shuffle_reductions = {});

}  // namespace twinrun::trainer
