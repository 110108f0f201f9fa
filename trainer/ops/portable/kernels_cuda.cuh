#pragma once

#include "trainer/ops/portable/backend.h"

namespace twinrun::trainer::portable {

// The steps of Backend on CUDA, queued on `stream`; each returns what its launch returned. What a
// row sums goes through the 32 lanes of one warp, which are the 32 lanes of the CPU.

cudaError_t rms_norm_cuda(const float* x, const float* weight, float eps, float* y, float* rstd,
                          std::int64_t rows, std::int64_t cols, cudaStream_t stream);
cudaError_t rms_norm_backward_cuda(const float* dy, const float* x, const float* rstd,
                                   const float* weight, float* dx, std::int64_t rows,
                                   std::int64_t cols, cudaStream_t stream);
cudaError_t rope_cuda(const Heads& x, const float* cos, const float* sin, float sign,
                      const Heads& y, cudaStream_t stream);
cudaError_t softmax_cuda(float* s, float scale, std::int64_t items, std::int64_t length,
                         std::int64_t ld, cudaStream_t stream);
cudaError_t softmax_rows_cuda(float* s, float scale, std::int64_t rows, std::int64_t cols,
                              std::int64_t ld, cudaStream_t stream);
cudaError_t softmax_backward_cuda(const float* p, float* dp, const float* delta, float scale,
                                  std::int64_t items, std::int64_t length, std::int64_t ld,
                                  cudaStream_t stream);
cudaError_t softmax_backward_rows_cuda(const float* p, float* dp, const float* delta, float scale,
                                       std::int64_t rows, std::int64_t cols, std::int64_t ld,
                                       cudaStream_t stream);
cudaError_t head_dots_cuda(const Heads& x, const Heads& y, float* out, cudaStream_t stream);
cudaError_t swiglu_cuda(const float* gate, const float* up, float* y, std::int64_t n,
                        cudaStream_t stream);
cudaError_t swiglu_backward_cuda(const float* dy, const float* gate, const float* up, float* dgate,
                                 float* dup, std::int64_t n, cudaStream_t stream);
cudaError_t cross_entropy_cuda(float* logits, const std::int64_t* labels, float grad_scale,
                               float* losses, std::int64_t rows, std::int64_t cols,
                               cudaStream_t stream);
cudaError_t log_softmax_cuda(float* logits, std::int64_t rows, std::int64_t cols,
                             cudaStream_t stream);
cudaError_t sum_cuda(const float* x, std::int64_t n, float* out, cudaStream_t stream);
cudaError_t scale_cuda(float* x, float factor, std::int64_t n, cudaStream_t stream);
cudaError_t divide_cuda(float* x, float divisor, std::int64_t n, cudaStream_t stream);
cudaError_t add_cuda(float* x, const float* y, std::int64_t n, cudaStream_t stream);
cudaError_t grad_norm_cuda(const float* x, std::int64_t n, double* blocks, float* out,
                           cudaStream_t stream);
cudaError_t clip_cuda(float* x, const float* norm, float max_norm, std::int64_t n,
                      cudaStream_t stream);
cudaError_t adamw_cuda(const AdamWScalars& scalars, const float* grad, float* param, float* exp_avg,
                       float* exp_avg_sq, std::int64_t n, cudaStream_t stream);

}  // namespace twinrun::trainer::portable
