#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <memory>

#include "trainer/ops/portable/cpu_kernels.h"

namespace twinrun::trainer::portable {

/// Many products of one shape. Item (o, i) of outer x inner takes A at o a_outer + i a_inner, B at
/// o b_outer + (i / b_group) b_inner, C at o c_outer + i c_inner.
struct Batch {
  std::int64_t outer = 1, inner = 1;
  std::int64_t a_outer = 0, a_inner = 0, b_outer = 0, b_inner = 0, c_outer = 0, c_inner = 0;
  std::int64_t b_group = 1;
};

/// A tensor [B, H, T, E] whose elements of one position lie side by side.
struct Heads {
  float* data = nullptr;
  std::int64_t rows = 0, heads = 0, length = 0, size = 0;  ///< B, H, T, E
  std::int64_t row_stride = 0, head_stride = 0, position_stride = 0;
};

/// The steps of the portable op set on one device, over raw float32 memory of it. Bits depend on
/// the arguments alone: docs/numerics.md, "Portable". A CUDA backend queues on the stream that is
/// current when it is called, and throws std::runtime_error with CUDA's message.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual void gemm(const Gemm& gemm, const Batch& batch) = 0;

  virtual void rms_norm(const float* x, const float* weight, float eps, float* y, float* rstd,
                        std::int64_t rows, std::int64_t cols) = 0;
  virtual void rms_norm_backward(const float* dy, const float* x, const float* rstd,
                                 const float* weight, float* dx, std::int64_t rows,
                                 std::int64_t cols) = 0;
  /// cos, sin [T, E]; `sign` -1 turns back.
  virtual void rope(const Heads& x, const float* cos, const float* sin, float sign,
                    const Heads& y) = 0;

  /// `items` matrices of causal scores [T, ld]: row t has the columns 0 .. t.
  virtual void softmax(float* s, float scale, std::int64_t items, std::int64_t length,
                       std::int64_t ld) = 0;
  /// `rows` rows of scores [rows, ld], each with the columns 0 .. cols - 1.
  virtual void softmax_rows(float* s, float scale, std::int64_t rows, std::int64_t cols,
                            std::int64_t ld) = 0;
  virtual void softmax_backward(const float* p, float* dp, const float* delta, float scale,
                                std::int64_t items, std::int64_t length, std::int64_t ld) = 0;
  /// As softmax_backward, of rows of softmax_rows.
  virtual void softmax_backward_rows(const float* p, float* dp, const float* delta, float scale,
                                     std::int64_t rows, std::int64_t cols, std::int64_t ld) = 0;
  /// out[(b H + h) T + t] = dot(x, y) over E.
  virtual void head_dots(const Heads& x, const Heads& y, float* out) = 0;

  virtual void swiglu(const float* gate, const float* up, float* y, std::int64_t n) = 0;
  virtual void swiglu_backward(const float* dy, const float* gate, const float* up, float* dgate,
                               float* dup, std::int64_t n) = 0;
  virtual void cross_entropy(float* logits, const std::int64_t* labels, float grad_scale,
                             float* losses, std::int64_t rows, std::int64_t cols) = 0;
  /// Logits [rows, cols] become log-probabilities.
  virtual void log_softmax(float* logits, std::int64_t rows, std::int64_t cols) = 0;

  virtual void sum(const float* x, std::int64_t n, float* out) = 0;
  virtual void scale(float* x, float factor, std::int64_t n) = 0;
  virtual void divide(float* x, float divisor, std::int64_t n) = 0;
  virtual void add(float* x, const float* y, std::int64_t n) = 0;

  /// `blocks`: ceil(n / kNormBlock) doubles of room.
  virtual void grad_norm(const float* x, std::int64_t n, double* blocks, float* out) = 0;
  virtual void clip(float* x, const float* norm, float max_norm, std::int64_t n) = 0;
  virtual void adamw(const AdamWScalars& scalars, const float* grad, float* param, float* exp_avg,
                     float* exp_avg_sq, std::int64_t n) = 0;
};

/// Spreads rows over OpenMP's threads. Throws std::invalid_argument if the CPU lacks `isa`.
std::unique_ptr<Backend> make_cpu_backend(Isa isa);

/// `current_stream` tells the stream to queue on, at each call.
std::unique_ptr<Backend> make_cuda_backend(cudaStream_t (*current_stream)());

}  // namespace twinrun::trainer::portable
