#include "trainer/ops/portable/formulas.h"
#include "trainer/ops/portable/kernels_cuda.cuh"

namespace twinrun::trainer::portable {
namespace {

constexpr int kWarp = 32, kThreads = 256, kWarps = kThreads / kWarp;

__device__ int lane() { return static_cast<int>(threadIdx.x) % kWarp; }

/// The row of this warp, one warp a row.
__device__ std::int64_t warp_row() {
  return std::int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
}

/// Every lane gets lane l + lane l ^ 16, then ^ 8, ... ^ 1: lane 0 has the CPU's tree.
template <typename T>
__device__ T tree(T value) {
#pragma unroll
  for (int half = kWarp / 2; half > 0; half /= 2) {
    value += __shfl_xor_sync(0xFFFFFFFF, value, half);
  }
  return value;
}

__device__ float tree_max(float value) {
#pragma unroll
  for (int half = kWarp / 2; half > 0; half /= 2) {
    const float other = __shfl_xor_sync(0xFFFFFFFF, value, half);
    value = other > value ? other : value;
  }
  return value;
}

__device__ float warp_dot(const float* x, const float* y, std::int64_t n) {
  float sum = 0.0F;
  for (std::int64_t i = lane(); i < n; i += kWarp) sum = fmaf_rn(x[i], y[i], sum);
  return tree(sum);
}

__device__ const float* position(const Heads& x, std::int64_t row) {
  const auto t = row % x.length, bh = row / x.length;
  return x.data + bh / x.heads * x.row_stride + bh % x.heads * x.head_stride +
         t * x.position_stride;
}

__global__ void rms_norm_kernel(const float* x, const float* weight, float eps, float* y,
                                float* rstd, std::int64_t rows, std::int64_t cols) {
  const auto row = warp_row();
  if (row >= rows) return;
  x += row * cols;
  y += row * cols;
  const float inverse = portable_rsqrt(warp_dot(x, x, cols) / static_cast<float>(cols) + eps);
  if (lane() == 0) rstd[row] = inverse;
  for (std::int64_t i = lane(); i < cols; i += kWarp) {
    y[i] = rms_norm_element(x[i], inverse, weight[i]);
  }
}

__global__ void rms_norm_backward_kernel(const float* dy, const float* x, const float* rstd,
                                         const float* weight, float* dx, std::int64_t rows,
                                         std::int64_t cols) {
  const auto row = warp_row();
  if (row >= rows) return;
  dy += row * cols;
  x += row * cols;
  dx += row * cols;
  const float inverse = rstd[row];
  float sum = 0.0F;
  for (std::int64_t i = lane(); i < cols; i += kWarp) {
    sum = fmaf_rn(dy[i] * weight[i], x[i] * inverse, sum);
  }
  const float mean = tree(sum) / static_cast<float>(cols);
  for (std::int64_t i = lane(); i < cols; i += kWarp) {
    dx[i] = rms_norm_grad(dy[i], x[i], inverse, weight[i], mean);
  }
}

__global__ void rope_kernel(Heads x, const float* cos, const float* sin, float sign, Heads y,
                            std::int64_t pairs) {
  const std::int64_t index = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (index >= pairs) return;
  const auto half = x.size / 2, row = index / half, i = index % half, t = row % x.length;
  const float* in = position(x, row);
  auto* out = const_cast<float*>(position(y, row));
  const auto turned =
      rope_pair(in[i], in[half + i], cos[t * x.size + i], sign * sin[t * x.size + i]);
  out[i] = turned.first;
  out[half + i] = turned.second;
}

/// n scores become probabilities.
__device__ void softmax_row(float* s, float scale, std::int64_t n) {
  float max = -static_cast<float>(kInfinity);
  for (std::int64_t i = lane(); i < n; i += kWarp) {
    const float value = s[i] * scale;
    s[i] = value;
    max = value > max ? value : max;
  }
  max = tree_max(max);
  float sum = 0.0F;
  for (std::int64_t i = lane(); i < n; i += kWarp) {
    const float value = portable_exp(s[i] - max);
    s[i] = value;
    sum += value;
  }
  sum = tree(sum);
  for (std::int64_t i = lane(); i < n; i += kWarp) s[i] /= sum;
}

__global__ void softmax_kernel(float* s, float scale, std::int64_t rows, std::int64_t length,
                               std::int64_t ld) {
  const auto row = warp_row();
  if (row < rows) softmax_row(s + row * ld, scale, row % length + 1);
}

__global__ void softmax_rows_kernel(float* s, float scale, std::int64_t rows, std::int64_t cols,
                                    std::int64_t ld) {
  const auto row = warp_row();
  if (row < rows) softmax_row(s + row * ld, scale, cols);
}

__global__ void log_softmax_kernel(float* logits, std::int64_t rows, std::int64_t cols) {
  const auto row = warp_row();
  if (row >= rows) return;
  logits += row * cols;
  float max = -static_cast<float>(kInfinity);
  for (std::int64_t i = lane(); i < cols; i += kWarp) max = logits[i] > max ? logits[i] : max;
  max = tree_max(max);
  float sum = 0.0F;
  for (std::int64_t i = lane(); i < cols; i += kWarp) sum += portable_exp(logits[i] - max);
  const float log_total = portable_log(tree(sum));
  for (std::int64_t i = lane(); i < cols; i += kWarp) logits[i] = (logits[i] - max) - log_total;
}

/// n of p's gradients become those of the scores.
__device__ void softmax_backward_row(const float* p, float* dp, float delta, float scale,
                                     std::int64_t n) {
  for (std::int64_t i = lane(); i < n; i += kWarp) {
    dp[i] = softmax_backward_element(p[i], dp[i], delta, scale);
  }
}

__global__ void softmax_backward_kernel(const float* p, float* dp, const float* delta, float scale,
                                        std::int64_t rows, std::int64_t length, std::int64_t ld) {
  const auto row = warp_row();
  if (row >= rows) return;
  softmax_backward_row(p + row * ld, dp + row * ld, delta[row], scale, row % length + 1);
}

__global__ void softmax_backward_rows_kernel(const float* p, float* dp, const float* delta,
                                             float scale, std::int64_t rows, std::int64_t cols,
                                             std::int64_t ld) {
  const auto row = warp_row();
  if (row < rows) softmax_backward_row(p + row * ld, dp + row * ld, delta[row], scale, cols);
}

__global__ void head_dots_kernel(Heads x, Heads y, float* out, std::int64_t rows) {
  const auto row = warp_row();
  if (row >= rows) return;
  const float sum = warp_dot(position(x, row), position(y, row), x.size);
  if (lane() == 0) out[row] = sum;
}

/// One block a row: all threads take exponentials, a tile of them at a time, and the first warp
/// adds a tile to the lane sum while the others are at the next one.
__global__ void __launch_bounds__(kThreads)
    cross_entropy_kernel(float* logits, const std::int64_t* labels, float grad_scale, float* losses,
                         std::int64_t cols) {
  constexpr int kTile = 8 * kThreads;  // a multiple of the lanes
  __shared__ float tile[2][kTile];
  __shared__ float of_warp[kWarps], total;
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t row = blockIdx.x;
  logits += row * cols;
  const auto label = labels[row];

  float max = -static_cast<float>(kInfinity);
  for (std::int64_t i = thread; i < cols; i += kThreads) max = logits[i] > max ? logits[i] : max;
  max = tree_max(max);
  if (lane() == 0) of_warp[thread / kWarp] = max;
  __syncthreads();
#pragma unroll
  for (int warp = 0; warp < kWarps; ++warp) max = of_warp[warp] > max ? of_warp[warp] : max;

  float sum = 0.0F;
  int stage = 0;
  for (std::int64_t begin = 0; begin < cols; begin += kTile, stage ^= 1) {
    const auto left = cols - begin;
    const int count = left < kTile ? static_cast<int>(left) : kTile;
    for (int i = thread; i < count; i += kThreads) {
      tile[stage][i] = portable_exp(logits[begin + i] - max);
    }
    __syncthreads();
    if (thread >= kWarp) continue;
    for (int i = thread; i < count; i += kWarp) sum += tile[stage][i];
  }
  if (thread < kWarp) {
    sum = tree(sum);
    if (thread == 0) {
      losses[row] = portable_log(sum) - (logits[label] - max);
      total = sum;
    }
  }
  __syncthreads();
  sum = total;
  for (std::int64_t i = thread; i < cols; i += kThreads) {
    logits[i] = cross_entropy_grad(logits[i], max, sum, i == label, grad_scale);
  }
}

/// out = sum of x: one warp.
template <typename T>
__global__ void sum_kernel(const T* x, std::int64_t n, float* out, bool root) {
  T sum = 0;
  for (std::int64_t i = lane(); i < n; i += kWarp) sum += x[i];
  sum = tree(sum);
  if (lane() != 0) return;
  if constexpr (sizeof(T) == sizeof(double)) {
    *out = static_cast<float>(root ? sqrt_rn(sum) : sum);
  } else {
    *out = sum;
  }
}

__global__ void square_sum_kernel(const float* x, std::int64_t n, double* blocks,
                                  std::int64_t count) {
  const auto block = warp_row();
  if (block >= count) return;
  const auto begin = block * kNormBlock, left = n - begin;
  const auto end = begin + (left < kNormBlock ? left : kNormBlock);
  double sum = 0;
  for (std::int64_t i = begin + lane(); i < end; i += kWarp) {
    const double value = x[i];
    sum = fma_rn(value, value, sum);
  }
  sum = tree(sum);
  if (lane() == 0) blocks[block] = sum;
}

/// apply(i) for every i below n.
template <typename Apply>
__global__ void each_kernel(std::int64_t n, Apply apply) {
  const std::int64_t stride = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < n; i += stride) {
    apply(i);
  }
}

unsigned blocks_for(std::int64_t units, std::int64_t per_block) {
  return static_cast<unsigned>((units + per_block - 1) / per_block);
}

template <typename Apply>
cudaError_t each(std::int64_t n, cudaStream_t stream, Apply apply) {
  if (n == 0) return cudaSuccess;
  constexpr unsigned kGridMax = 132 * 32;
  const auto wanted = blocks_for(n, kThreads);
  const auto grid = wanted > kGridMax ? kGridMax : wanted;
  each_kernel<<<grid, kThreads, 0, stream>>>(n, apply);
  return cudaGetLastError();
}

/// Launches `kernel` with a warp for each of `rows`.
template <typename... Parameters, typename... Arguments>
cudaError_t rows_of_warps(void (*kernel)(Parameters...), std::int64_t rows, cudaStream_t stream,
                          Arguments... arguments) {
  if (rows == 0) return cudaSuccess;
  kernel<<<blocks_for(rows, kWarps), kThreads, 0, stream>>>(arguments...);
  return cudaGetLastError();
}

}  // namespace

cudaError_t rms_norm_cuda(const float* x, const float* weight, float eps, float* y, float* rstd,
                          std::int64_t rows, std::int64_t cols, cudaStream_t stream) {
  return rows_of_warps(rms_norm_kernel, rows, stream, x, weight, eps, y, rstd, rows, cols);
}

cudaError_t rms_norm_backward_cuda(const float* dy, const float* x, const float* rstd,
                                   const float* weight, float* dx, std::int64_t rows,
                                   std::int64_t cols, cudaStream_t stream) {
  return rows_of_warps(rms_norm_backward_kernel, rows, stream, dy, x, rstd, weight, dx, rows, cols);
}

cudaError_t rope_cuda(const Heads& x, const float* cos, const float* sin, float sign,
                      const Heads& y, cudaStream_t stream) {
  const auto pairs = x.rows * x.heads * x.length * (x.size / 2);
  if (pairs == 0) return cudaSuccess;
  rope_kernel<<<blocks_for(pairs, kThreads), kThreads, 0, stream>>>(x, cos, sin, sign, y, pairs);
  return cudaGetLastError();
}

cudaError_t softmax_cuda(float* s, float scale, std::int64_t items, std::int64_t length,
                         std::int64_t ld, cudaStream_t stream) {
  return rows_of_warps(softmax_kernel, items * length, stream, s, scale, items * length, length,
                       ld);
}

cudaError_t softmax_rows_cuda(float* s, float scale, std::int64_t rows, std::int64_t cols,
                              std::int64_t ld, cudaStream_t stream) {
  return rows_of_warps(softmax_rows_kernel, rows, stream, s, scale, rows, cols, ld);
}

cudaError_t softmax_backward_cuda(const float* p, float* dp, const float* delta, float scale,
                                  std::int64_t items, std::int64_t length, std::int64_t ld,
                                  cudaStream_t stream) {
  return rows_of_warps(softmax_backward_kernel, items * length, stream, p, dp, delta, scale,
                       items * length, length, ld);
}

cudaError_t softmax_backward_rows_cuda(const float* p, float* dp, const float* delta, float scale,
                                       std::int64_t rows, std::int64_t cols, std::int64_t ld,
                                       cudaStream_t stream) {
  return rows_of_warps(softmax_backward_rows_kernel, rows, stream, p, dp, delta, scale, rows, cols,
                       ld);
}

cudaError_t head_dots_cuda(const Heads& x, const Heads& y, float* out, cudaStream_t stream) {
  const auto rows = x.rows * x.heads * x.length;
  return rows_of_warps(head_dots_kernel, rows, stream, x, y, out, rows);
}

cudaError_t swiglu_cuda(const float* gate, const float* up, float* y, std::int64_t n,
                        cudaStream_t stream) {
  return each(n, stream, [=] __device__(std::int64_t i) { y[i] = swiglu_element(gate[i], up[i]); });
}

cudaError_t swiglu_backward_cuda(const float* dy, const float* gate, const float* up, float* dgate,
                                 float* dup, std::int64_t n, cudaStream_t stream) {
  return each(n, stream, [=] __device__(std::int64_t i) {
    const auto d = swiglu_grads(dy[i], gate[i], up[i]);
    dgate[i] = d.gate;
    dup[i] = d.up;
  });
}

cudaError_t cross_entropy_cuda(float* logits, const std::int64_t* labels, float grad_scale,
                               float* losses, std::int64_t rows, std::int64_t cols,
                               cudaStream_t stream) {
  if (rows == 0) return cudaSuccess;
  cross_entropy_kernel<<<blocks_for(rows, 1), kThreads, 0, stream>>>(logits, labels, grad_scale,
                                                                     losses, cols);
  return cudaGetLastError();
}

cudaError_t log_softmax_cuda(float* logits, std::int64_t rows, std::int64_t cols,
                             cudaStream_t stream) {
  return rows_of_warps(log_softmax_kernel, rows, stream, logits, rows, cols);
}

cudaError_t sum_cuda(const float* x, std::int64_t n, float* out, cudaStream_t stream) {
  sum_kernel<<<1, kWarp, 0, stream>>>(x, n, out, false);
  return cudaGetLastError();
}

cudaError_t scale_cuda(float* x, float factor, std::int64_t n, cudaStream_t stream) {
  return each(n, stream, [=] __device__(std::int64_t i) { x[i] *= factor; });
}

cudaError_t divide_cuda(float* x, float divisor, std::int64_t n, cudaStream_t stream) {
  return each(n, stream, [=] __device__(std::int64_t i) { x[i] /= divisor; });
}

cudaError_t add_cuda(float* x, const float* y, std::int64_t n, cudaStream_t stream) {
  return each(n, stream, [=] __device__(std::int64_t i) { x[i] += y[i]; });
}

cudaError_t grad_norm_cuda(const float* x, std::int64_t n, double* blocks, float* out,
                           cudaStream_t stream) {
  const auto count = (n + kNormBlock - 1) / kNormBlock;
  const auto error = rows_of_warps(square_sum_kernel, count, stream, x, n, blocks, count);
  if (error != cudaSuccess) return error;
  sum_kernel<<<1, kWarp, 0, stream>>>(static_cast<const double*>(blocks), count, out, true);
  return cudaGetLastError();
}

cudaError_t clip_cuda(float* x, const float* norm, float max_norm, std::int64_t n,
                      cudaStream_t stream) {
  return each(n, stream, [=] __device__(std::int64_t i) { x[i] *= clip_factor(*norm, max_norm); });
}

cudaError_t adamw_cuda(const AdamWScalars& scalars, const float* grad, float* param, float* exp_avg,
                       float* exp_avg_sq, std::int64_t n, cudaStream_t stream) {
  return each(n, stream, [=] __device__(std::int64_t i) {
    adamw_element(scalars, grad[i], param[i], exp_avg[i], exp_avg_sq[i]);
  });
}

}  // namespace twinrun::trainer::portable
