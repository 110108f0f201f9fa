#include <cuda_bf16.h>

#include "trainer/ops/torch/fused_cuda.h"

namespace twinrun::trainer::fused::cuda {
namespace {

constexpr int kRowThreads = 256, kLossThreads = 1024, kFlatThreads = 256;

/// Neighbours that are read and written at once: 16 bytes where all addresses allow it, else one.
template <typename T, int kCount>
struct alignas(kCount * sizeof(T)) Pack {
  T at[kCount];
};
template <typename T>
constexpr int kWide = static_cast<int>(16 / sizeof(T));

template <int kCount, typename T>
__device__ Pack<T, kCount> load(const T* p) {
  return *reinterpret_cast<const Pack<T, kCount>*>(p);
}
template <typename T, int kCount>
__device__ void store(T* p, const Pack<T, kCount>& pack) {
  *reinterpret_cast<Pack<T, kCount>*>(p) = pack;
}

/// As it is in memory: what ATen's operations, one after the other, round to between them.
template <typename T>
__device__ float rounded(float x) {
  return static_cast<float>(static_cast<T>(x));
}

/// The sum over the block, in the order of a tree; all threads get it.
__device__ float block_sum(float x) {
  __shared__ float warps[32];
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(~0U, x, step);
  __syncthreads();  // a sum before this one may still be read
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
  __syncthreads();
  float sum = 0;
  for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) sum += warps[warp];
  return sum;
}

template <typename T, int kCount>
__global__ void rms_norm_kernel(const T* x, const T* weight, float eps, T* y, float* rstd,
                                std::int64_t cols) {
  x += blockIdx.x * cols;
  y += blockIdx.x * cols;
  float squares = 0;
  for (std::int64_t i = threadIdx.x * kCount; i < cols; i += kRowThreads * kCount) {
    const auto in = load<kCount>(x + i);
    for (const T value : in.at) squares += static_cast<float>(value) * static_cast<float>(value);
  }
  const float scale = rsqrtf(block_sum(squares) / static_cast<float>(cols) + eps);
  if (threadIdx.x == 0) rstd[blockIdx.x] = scale;
  for (std::int64_t i = threadIdx.x * kCount; i < cols; i += kRowThreads * kCount) {
    const auto in = load<kCount>(x + i), w = load<kCount>(weight + i);
    Pack<T, kCount> out;
    for (int q = 0; q < kCount; ++q) {
      const float normed = rounded<T>(static_cast<float>(in.at[q]) * scale);
      out.at[q] = static_cast<T>(normed * static_cast<float>(w.at[q]));
    }
    store(y + i, out);
  }
}

template <typename T, int kCount>
__global__ void rms_norm_backward_kernel(const T* dy, const T* x, const float* rstd,
                                         const T* weight, const T* residual, T* dx,
                                         std::int64_t cols) {
  const std::int64_t row = blockIdx.x * cols;
  const float scale = rstd[blockIdx.x];
  float dots = 0;
  for (std::int64_t i = threadIdx.x * kCount; i < cols; i += kRowThreads * kCount) {
    const auto in = load<kCount>(x + row + i), grad = load<kCount>(dy + row + i);
    const auto w = load<kCount>(weight + i);
    for (int q = 0; q < kCount; ++q) {
      dots += static_cast<float>(grad.at[q]) * static_cast<float>(w.at[q]) *
              (static_cast<float>(in.at[q]) * scale);
    }
  }
  const float mean = block_sum(dots) / static_cast<float>(cols);
  for (std::int64_t i = threadIdx.x * kCount; i < cols; i += kRowThreads * kCount) {
    const auto in = load<kCount>(x + row + i), grad = load<kCount>(dy + row + i);
    const auto w = load<kCount>(weight + i);
    Pack<T, kCount> out{};
    if (residual != nullptr) out = load<kCount>(residual + row + i);
    for (int q = 0; q < kCount; ++q) {
      const float wdy = static_cast<float>(grad.at[q]) * static_cast<float>(w.at[q]);
      const float value = (wdy - static_cast<float>(in.at[q]) * scale * mean) * scale;
      out.at[q] = residual == nullptr
                      ? static_cast<T>(value)
                      : static_cast<T>(static_cast<float>(out.at[q]) + rounded<T>(value));
    }
    store(dx + row + i, out);
  }
}

/// One thread kCount pairs of a head: elements i .. and size / 2 + i ...
template <typename T, int kCount>
__global__ void rope_kernel(const T* x, const T* cos, const T* sin, T* y, RopeShape s,
                            bool backward) {
  const std::int64_t half = s.size / 2, per_head = half / kCount;
  const std::int64_t item = std::int64_t{blockIdx.x} * kFlatThreads + threadIdx.x;
  if (item >= s.rows * s.length * s.heads * per_head) return;
  const std::int64_t i = item % per_head * kCount, head = item / per_head;
  const std::int64_t h = head % s.heads, t = head / s.heads % s.length;
  const std::int64_t row = head / s.heads / s.length;
  x += row * s.row_stride + h * s.head_stride + t * s.position_stride + i;
  y += head * s.size + i;
  cos += t * s.size + i;
  sin += t * s.size + i;
  const auto low = load<kCount>(x), high = load<kCount>(x + half);
  const auto cos_low = load<kCount>(cos), cos_high = load<kCount>(cos + half);
  const auto sin_low = load<kCount>(sin), sin_high = load<kCount>(sin + half);
  Pack<T, kCount> out_low, out_high;
  const auto f = [](T value) { return static_cast<float>(value); };
  for (int q = 0; q < kCount; ++q) {
    // Forward: (-high, low) sin. Backward: (high, -low) taken to the other half by its own sin.
    const float low_sin =
        backward ? f(high.at[q]) * f(sin_high.at[q]) : -f(high.at[q]) * f(sin_low.at[q]);
    const float high_sin =
        backward ? -f(low.at[q]) * f(sin_low.at[q]) : f(low.at[q]) * f(sin_high.at[q]);
    out_low.at[q] =
        static_cast<T>(__fadd_rn(rounded<T>(f(low.at[q]) * f(cos_low.at[q])), rounded<T>(low_sin)));
    out_high.at[q] = static_cast<T>(
        __fadd_rn(rounded<T>(f(high.at[q]) * f(cos_high.at[q])), rounded<T>(high_sin)));
  }
  store(y, out_low);
  store(y + half, out_high);
}

__device__ float sigmoid(float x) { return 1.0F / (1.0F + expf(-x)); }

template <typename T, int kCount>
__global__ void swiglu_kernel(const T* gate, const T* up, T* y, std::int64_t n) {
  const std::int64_t i = (std::int64_t{blockIdx.x} * kFlatThreads + threadIdx.x) * kCount;
  if (i >= n) return;
  const auto g = load<kCount>(gate + i), u = load<kCount>(up + i);
  Pack<T, kCount> out;
  for (int q = 0; q < kCount; ++q) {
    const float value = static_cast<float>(g.at[q]);
    out.at[q] = static_cast<T>(rounded<T>(value * sigmoid(value)) * static_cast<float>(u.at[q]));
  }
  store(y + i, out);
}

template <typename T, int kCount>
__global__ void swiglu_backward_kernel(const T* dy, const T* gate, const T* up, T* dgate, T* dup,
                                       std::int64_t n) {
  const std::int64_t i = (std::int64_t{blockIdx.x} * kFlatThreads + threadIdx.x) * kCount;
  if (i >= n) return;
  const auto grad = load<kCount>(dy + i), g = load<kCount>(gate + i), u = load<kCount>(up + i);
  Pack<T, kCount> to_gate, to_up;
  for (int q = 0; q < kCount; ++q) {
    const float value = static_cast<float>(g.at[q]), d = static_cast<float>(grad.at[q]);
    const float s = sigmoid(value);
    to_up.at[q] = static_cast<T>(rounded<T>(value * s) * d);
    to_gate.at[q] = static_cast<T>(rounded<T>(d * static_cast<float>(u.at[q])) * s *
                                   (1.0F + value * (1.0F - s)));
  }
  store(dgate + i, to_gate);
  store(dup + i, to_up);
}

/// A largest value and the sum of exp(value - largest), of two sets together.
struct Exponentials {
  float largest, sum;
  __device__ void add(float other_largest, float other_sum) {
    const float both = fmaxf(largest, other_largest);
    if (both == -INFINITY) {
      sum += other_sum;  // 0, or what is not a number
      return;
    }
    sum = sum * expf(largest - both) + other_sum * expf(other_largest - both);
    largest = both;
  }
};

__device__ Exponentials block_exponentials(Exponentials x) {
  __shared__ Exponentials warps[32];
  for (int step = 16; step > 0; step /= 2) {
    // Of each pair both compute the same: the lower lane's part comes first.
    const float largest = __shfl_xor_sync(~0U, x.largest, step);
    const float sum = __shfl_xor_sync(~0U, x.sum, step);
    if ((threadIdx.x & static_cast<unsigned>(step)) == 0) {
      x.add(largest, sum);
    } else {
      Exponentials first{largest, sum};
      first.add(x.largest, x.sum);
      x = first;
    }
  }
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
  __syncthreads();
  Exponentials all = warps[0];
  for (unsigned warp = 1; warp < blockDim.x / 32; ++warp) {
    all.add(warps[warp].largest, warps[warp].sum);
  }
  return all;
}

template <typename T, int kCount>
__global__ void __launch_bounds__(kLossThreads)
    cross_entropy_kernel(T* logits, const std::int64_t* labels, float grad_scale, float* losses,
                         std::int64_t cols) {
  logits += blockIdx.x * cols;
  const std::int64_t label = labels[blockIdx.x];
  Exponentials own{-INFINITY, 0};
  bool finite = true;
  for (std::int64_t i = threadIdx.x * kCount; i < cols; i += kLossThreads * kCount) {
    const auto z = load<kCount>(logits + i);
    float largest = static_cast<float>(z.at[0]);
    for (int q = 0; q < kCount; ++q) {
      largest = fmaxf(largest, static_cast<float>(z.at[q]));
      finite = finite && !isnan(static_cast<float>(z.at[q]));
    }
    float sum = 0;
    for (int q = 0; q < kCount; ++q) {
      sum += largest == -INFINITY ? 0 : expf(static_cast<float>(z.at[q]) - largest);
    }
    own.add(largest, sum);
  }
  if (!finite) own.sum = NAN;  // which the largest of them would hide
  const auto all = block_exponentials(own);
  const float log_sum = logf(all.sum);  // not added to the largest: that would round it away
  __shared__ float of_label;
  if (threadIdx.x == 0) {
    of_label = static_cast<float>(logits[label]);
    losses[blockIdx.x] = log_sum - (of_label - all.largest);
  }
  __syncthreads();
  for (std::int64_t i = threadIdx.x * kCount; i < cols; i += kLossThreads * kCount) {
    auto z = load<kCount>(logits + i);
    for (int q = 0; q < kCount; ++q) {
      const float p = expf(static_cast<float>(z.at[q]) - all.largest - log_sum);
      z.at[q] = static_cast<T>((i + q == label ? p - 1.0F : p) * grad_scale);
    }
    store(logits + i, z);
  }
}

/// Whether rows of `cols` elements behind all of these addresses can be read 16 bytes at a time.
template <typename T, typename... Pointers>
bool wide(std::int64_t cols, Pointers... pointers) {
  const bool aligned = (... && (reinterpret_cast<std::uintptr_t>(pointers) % 16 == 0));
  return aligned && cols % kWide<T> == 0;
}

unsigned grid_of(std::int64_t items) {
  return static_cast<unsigned>((items + kFlatThreads - 1) / kFlatThreads);
}

}  // namespace

// Calls KERNEL<T, kWide<T>> or KERNEL<T, 1>.
#define TWINRUN_LAUNCH(WIDE, KERNEL, GRID, THREADS, ...)                        \
  do {                                                                          \
    if (WIDE) {                                                                 \
      KERNEL<T, kWide<T>><<<GRID(kWide<T>), THREADS, 0, stream>>>(__VA_ARGS__); \
    } else {                                                                    \
      KERNEL<T, 1><<<GRID(1), THREADS, 0, stream>>>(__VA_ARGS__);               \
    }                                                                           \
  } while (false)

template <typename T>
cudaError_t rms_norm(const T* x, const T* weight, float eps, T* y, float* rstd, std::int64_t rows,
                     std::int64_t cols, cudaStream_t stream) {
  if (rows == 0) return cudaSuccess;
  const auto grid = [&](int) { return static_cast<unsigned>(rows); };
  TWINRUN_LAUNCH(wide<T>(cols, x, weight, y), rms_norm_kernel, grid, kRowThreads, x, weight, eps, y,
                 rstd, cols);
  return cudaGetLastError();
}

template <typename T>
cudaError_t rms_norm_backward(const T* dy, const T* x, const float* rstd, const T* weight,
                              const T* residual, T* dx, std::int64_t rows, std::int64_t cols,
                              cudaStream_t stream) {
  if (rows == 0) return cudaSuccess;
  const auto grid = [&](int) { return static_cast<unsigned>(rows); };
  TWINRUN_LAUNCH(wide<T>(cols, dy, x, weight, residual, dx), rms_norm_backward_kernel, grid,
                 kRowThreads, dy, x, rstd, weight, residual, dx, cols);
  return cudaGetLastError();
}

template <typename T>
cudaError_t rope(const T* x, const T* cos, const T* sin, T* y, const RopeShape& shape,
                 bool backward, cudaStream_t stream) {
  const auto pairs = shape.rows * shape.length * shape.heads * shape.size / 2;
  if (pairs == 0) return cudaSuccess;
  const auto grid = [&](int count) { return grid_of(pairs / count); };
  const bool strides = shape.row_stride % kWide<T> == 0 && shape.head_stride % kWide<T> == 0 &&
                       shape.position_stride % kWide<T> == 0;
  TWINRUN_LAUNCH(strides && wide<T>(shape.size / 2, x, cos, sin, y), rope_kernel, grid,
                 kFlatThreads, x, cos, sin, y, shape, backward);
  return cudaGetLastError();
}

template <typename T>
cudaError_t swiglu(const T* gate, const T* up, T* y, std::int64_t n, cudaStream_t stream) {
  if (n == 0) return cudaSuccess;
  const auto grid = [&](int count) { return grid_of(n / count); };
  TWINRUN_LAUNCH(wide<T>(n, gate, up, y), swiglu_kernel, grid, kFlatThreads, gate, up, y, n);
  return cudaGetLastError();
}

template <typename T>
cudaError_t swiglu_backward(const T* dy, const T* gate, const T* up, T* dgate, T* dup,
                            std::int64_t n, cudaStream_t stream) {
  if (n == 0) return cudaSuccess;
  const auto grid = [&](int count) { return grid_of(n / count); };
  TWINRUN_LAUNCH(wide<T>(n, dy, gate, up, dgate, dup), swiglu_backward_kernel, grid, kFlatThreads,
                 dy, gate, up, dgate, dup, n);
  return cudaGetLastError();
}

template <typename T>
cudaError_t cross_entropy(T* logits, const std::int64_t* labels, float grad_scale, float* losses,
                          std::int64_t rows, std::int64_t cols, cudaStream_t stream) {
  if (rows == 0) return cudaSuccess;
  const auto grid = [&](int) { return static_cast<unsigned>(rows); };
  TWINRUN_LAUNCH(wide<T>(cols, logits), cross_entropy_kernel, grid, kLossThreads, logits, labels,
                 grad_scale, losses, cols);
  return cudaGetLastError();
}

#define TWINRUN_INSTANTIATE(T)                                                                     \
  template cudaError_t rms_norm(const T*, const T*, float, T*, float*, std::int64_t, std::int64_t, \
                                cudaStream_t);                                                     \
  template cudaError_t rms_norm_backward(const T*, const T*, const float*, const T*, const T*, T*, \
                                         std::int64_t, std::int64_t, cudaStream_t);                \
  template cudaError_t rope(const T*, const T*, const T*, T*, const RopeShape&, bool,              \
                            cudaStream_t);                                                         \
  template cudaError_t swiglu(const T*, const T*, T*, std::int64_t, cudaStream_t);                 \
  template cudaError_t swiglu_backward(const T*, const T*, const T*, T*, T*, std::int64_t,         \
                                       cudaStream_t);                                              \
  template cudaError_t cross_entropy(T*, const std::int64_t*, float, float*, std::int64_t,         \
                                     std::int64_t, cudaStream_t)
TWINRUN_INSTANTIATE(float);
TWINRUN_INSTANTIATE(__nv_bfloat16);

}  // namespace twinrun::trainer::fused::cuda
