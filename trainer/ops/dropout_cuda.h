#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstdint>

namespace twinrun::trainer {

/// A DropoutKey made ready for the kernels.
struct DropoutPlan {
  std::array<std::uint32_t, 4> counter{};  ///< word 1 is the block of four elements
  std::array<std::uint32_t, 2> key{};
  std::uint32_t threshold = 0;  ///< keep iff draw >= threshold
  float scale = 1;              ///< 1 / (1 - p)
};

/// A mask in device memory, bit i % 8 of byte i / 8 set where element i is kept.
struct DropoutMask {
  std::uint8_t* bits = nullptr;  ///< null: it is drawn and not kept
  bool read = false;             ///< it is there already; else it is drawn, and written to `bits`
};

/// y = dropout(x), or y += dropout(x), for `numel` elements in device memory, queued on `stream`.
/// Returns what the launch returned. (The .cu files see no torch header: nvcc takes a minute for
/// one.)
cudaError_t dropout_cuda_float32(float* y, const float* x, std::int64_t numel,
                                 const DropoutPlan& plan, const DropoutMask& mask, bool add,
                                 cudaStream_t stream);
/// The same over bfloat16, rounded to nearest even; the pointers are to 16-bit elements.
cudaError_t dropout_cuda_bfloat16(void* y, const void* x, std::int64_t numel,
                                  const DropoutPlan& plan, const DropoutMask& mask, bool add,
                                  cudaStream_t stream);

}  // namespace twinrun::trainer
