#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace twinrun::trainer::fused::cuda {

// Kernels of trainer/ops/torch/fused.h over device memory, queued on `stream`; each returns what
// its launch returned. T is float or __nv_bfloat16. A sum over a row has one order, which depends
// on the row's length and the alignment of its first element alone.

/// y = x rstd weight for `rows` rows of `cols`, rstd = 1 / sqrt(mean(x^2) + eps).
template <typename T>
cudaError_t rms_norm(const T* x, const T* weight, float eps, T* y, float* rstd, std::int64_t rows,
                     std::int64_t cols, cudaStream_t stream);

/// dx = the gradient of rms_norm, added to `residual` unless that is null.
template <typename T>
cudaError_t rms_norm_backward(const T* dy, const T* x, const float* rstd, const T* weight,
                              const T* residual, T* dx, std::int64_t rows, std::int64_t cols,
                              cudaStream_t stream);

/// Heads [rows, heads, length, size] by strides in elements; a head's elements are neighbours.
struct RopeShape {
  std::int64_t rows, heads, length, size;
  std::int64_t row_stride, head_stride, position_stride;
};
/// y, contiguous [rows, length, heads, size], is x rotated by the angles of `cos` and `sin`
/// [length, size], or by their opposites if `backward`.
template <typename T>
cudaError_t rope(const T* x, const T* cos, const T* sin, T* y, const RopeShape& shape,
                 bool backward, cudaStream_t stream);

/// y = silu(gate) up.
template <typename T>
cudaError_t swiglu(const T* gate, const T* up, T* y, std::int64_t n, cudaStream_t stream);
template <typename T>
cudaError_t swiglu_backward(const T* dy, const T* gate, const T* up, T* dgate, T* dup,
                            std::int64_t n, cudaStream_t stream);

/// losses[r] = the negative log-likelihood of labels[r] by the logits of row r, which become their
/// gradient times grad_scale.
template <typename T>
cudaError_t cross_entropy(T* logits, const std::int64_t* labels, float grad_scale, float* losses,
                          std::int64_t rows, std::int64_t cols, cudaStream_t stream);

}  // namespace twinrun::trainer::fused::cuda
