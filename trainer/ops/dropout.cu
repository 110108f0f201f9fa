#include <cuda_bf16.h>

#include "trainer/data/philox.h"
#include "trainer/ops/dropout_cuda.h"

namespace twinrun::trainer {
namespace {

constexpr int kThreads = 256;

/// Four neighbours, read and written at once.
template <typename T>
struct alignas(4 * sizeof(T)) Four {
  T at[4];
};

/// One thread a Philox block, so four elements. `whole`: both pointers are aligned for Four.
template <typename T, bool kAdd>
__global__ void dropout_kernel(T* y, const T* x, std::int64_t numel, DropoutPlan plan, bool whole) {
  const std::int64_t block = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::int64_t first = block * 4;
  if (first >= numel) return;
  x += first;
  y += first;
  whole = whole && first + 4 <= numel;
  const int count = numel - first < 4 ? static_cast<int>(numel - first) : 4;
  Four<T> in{}, out{};
  if (whole) {
    in = *reinterpret_cast<const Four<T>*>(x);
    if constexpr (kAdd) out = *reinterpret_cast<const Four<T>*>(y);
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (i >= count) break;
      in.at[i] = x[i];
      if constexpr (kAdd) out.at[i] = y[i];
    }
  }
  auto counter = plan.counter;
  counter[1] = static_cast<std::uint32_t>(block);
  const auto words = philox4x32(counter, plan.key);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float value =
        words[i] >= plan.threshold ? __fmul_rn(static_cast<float>(in.at[i]), plan.scale) : 0.0F;
    out.at[i] = static_cast<T>(kAdd ? __fadd_rn(static_cast<float>(out.at[i]), value) : value);
  }
  if (whole) {
    *reinterpret_cast<Four<T>*>(y) = out;
    return;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (i < count) y[i] = out.at[i];
  }
}

template <typename T>
bool aligned_for_four(const T* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % alignof(Four<T>) == 0;
}

template <typename T>
cudaError_t launch(T* y, const T* x, std::int64_t numel, const DropoutPlan& plan, bool add,
                   cudaStream_t stream) {
  const auto blocks = (numel + 3) / 4;
  const auto grid = static_cast<unsigned>((blocks + kThreads - 1) / kThreads);
  if (grid == 0) return cudaSuccess;
  const bool whole = aligned_for_four(x) && aligned_for_four(y);
  if (add) {
    dropout_kernel<T, true><<<grid, kThreads, 0, stream>>>(y, x, numel, plan, whole);
  } else {
    dropout_kernel<T, false><<<grid, kThreads, 0, stream>>>(y, x, numel, plan, whole);
  }
  return cudaGetLastError();
}

}  // namespace

cudaError_t dropout_cuda_float32(float* y, const float* x, std::int64_t numel,
                                 const DropoutPlan& plan, bool add, cudaStream_t stream) {
  return launch(y, x, numel, plan, add, stream);
}

cudaError_t dropout_cuda_bfloat16(void* y, const void* x, std::int64_t numel,
                                  const DropoutPlan& plan, bool add, cudaStream_t stream) {
  return launch(static_cast<__nv_bfloat16*>(y), static_cast<const __nv_bfloat16*>(x), numel, plan,
                add, stream);
}

}  // namespace twinrun::trainer
