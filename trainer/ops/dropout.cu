#include <cuda_bf16.h>

#include "trainer/data/philox.h"
#include "trainer/ops/dropout_cuda.h"

namespace twinrun::trainer {
namespace {

constexpr int kThreads = 256;
constexpr int kEach = 8;  // elements of a thread: two Philox blocks, a byte of the mask

/// Neighbours, read and written at once.
template <typename T>
struct alignas(16) Eight {
  T at[kEach];
};

/// Which of the eight elements from `first` on are kept, the first in bit 0.
__device__ unsigned draw(const DropoutPlan& plan, std::int64_t first) {
  unsigned kept = 0;
#pragma unroll
  for (int block = 0; block < kEach / 4; ++block) {
    auto counter = plan.counter;
    counter[1] = static_cast<std::uint32_t>(first / 4 + block);
    const auto words = philox4x32(counter, plan.key);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      kept |= (words[i] >= plan.threshold ? 1U : 0U) << (4 * block + i);
    }
  }
  return kept;
}

template <typename T, bool kAdd>
__device__ T dropped(T x, T y, bool kept, float scale) {
  const float value = kept ? __fmul_rn(static_cast<float>(x), scale) : 0.0F;
  return static_cast<T>(kAdd ? __fadd_rn(static_cast<float>(y), value) : value);
}

/// `whole`: both pointers are aligned for Eight.
template <typename T, bool kAdd>
__global__ void dropout_kernel(T* y, const T* x, std::int64_t numel, DropoutPlan plan,
                               DropoutMask mask, bool whole) {
  const std::int64_t thread = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::int64_t first = thread * kEach;
  if (first >= numel) return;
  x += first;
  y += first;
  const unsigned kept = mask.read ? mask.bits[thread] : draw(plan, first);
  if (mask.bits != nullptr && !mask.read) mask.bits[thread] = static_cast<std::uint8_t>(kept);
  if (whole && first + kEach <= numel) {
    const auto in = *reinterpret_cast<const Eight<T>*>(x);
    Eight<T> out{};
    if constexpr (kAdd) out = *reinterpret_cast<const Eight<T>*>(y);
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      out.at[i] = dropped<T, kAdd>(in.at[i], out.at[i], (kept >> i & 1U) != 0, plan.scale);
    }
    *reinterpret_cast<Eight<T>*>(y) = out;
    return;
  }
  for (int i = 0; i < kEach && first + i < numel; ++i) {
    y[i] = dropped<T, kAdd>(x[i], kAdd ? y[i] : T{}, (kept >> i & 1U) != 0, plan.scale);
  }
}

template <typename T>
bool aligned_for_eight(const T* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % alignof(Eight<T>) == 0;
}

template <typename T>
cudaError_t launch(T* y, const T* x, std::int64_t numel, const DropoutPlan& plan,
                   const DropoutMask& mask, bool add, cudaStream_t stream) {
  const auto threads = (numel + kEach - 1) / kEach;
  const auto grid = static_cast<unsigned>((threads + kThreads - 1) / kThreads);
  if (grid == 0) return cudaSuccess;
  const bool whole = aligned_for_eight(x) && aligned_for_eight(y);
  if (add) {
    dropout_kernel<T, true><<<grid, kThreads, 0, stream>>>(y, x, numel, plan, mask, whole);
  } else {
    dropout_kernel<T, false><<<grid, kThreads, 0, stream>>>(y, x, numel, plan, mask, whole);
  }
  return cudaGetLastError();
}

}  // namespace

cudaError_t dropout_cuda_float32(float* y, const float* x, std::int64_t numel,
                                 const DropoutPlan& plan, const DropoutMask& mask, bool add,
                                 cudaStream_t stream) {
  return launch(y, x, numel, plan, mask, add, stream);
}

cudaError_t dropout_cuda_bfloat16(void* y, const void* x, std::int64_t numel,
                                  const DropoutPlan& plan, const DropoutMask& mask, bool add,
                                  cudaStream_t stream) {
  return launch(static_cast<__nv_bfloat16*>(y), static_cast<const __nv_bfloat16*>(x), numel, plan,
                mask, add, stream);
}

}  // namespace twinrun::trainer
