#pragma once

#include <array>
#include <cstdint>

#include <ATen/core/Tensor.h>

namespace twinrun::trainer {

/// A DropoutKey made ready for the kernels.
struct DropoutPlan {
  std::array<std::uint32_t, 4> counter{};  ///< word 1 is the block of four elements
  std::array<std::uint32_t, 2> key{};
  std::uint32_t threshold = 0;  ///< keep iff draw >= threshold
  float scale = 1;              ///< 1 / (1 - p)
};

/// y = dropout(x), or y += dropout(x), on the current stream. float32 or bfloat16, contiguous.
void dropout_cuda(at::Tensor& y, const at::Tensor& x, const DropoutPlan& plan, bool add);

}  // namespace twinrun::trainer
