#include <cuda_bf16.h>

#include "trainer/data/philox.h"
#include "trainer/ops/dropout_cuda.h"

namespace twinrun::trainer {
namespace {

constexpr int kThreads = 256;

/// One thread a Philox block, so four elements.
template <typename T, bool kAdd>
__global__ void dropout_kernel(T* y, const T* x, std::int64_t numel, DropoutPlan plan) {
  const std::int64_t block = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (block * 4 >= numel) return;
  auto counter = plan.counter;
  counter[1] = static_cast<std::uint32_t>(block);
  const auto words = philox4x32(counter, plan.key);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const std::int64_t at = block * 4 + i;
    if (at >= numel) return;
    const float value =
        words[i] >= plan.threshold ? __fmul_rn(static_cast<float>(x[at]), plan.scale) : 0.0F;
    y[at] = static_cast<T>(kAdd ? __fadd_rn(static_cast<float>(y[at]), value) : value);
  }
}

template <typename T>
cudaError_t launch(T* y, const T* x, std::int64_t numel, const DropoutPlan& plan, bool add,
                   cudaStream_t stream) {
  const auto blocks = (numel + 3) / 4;
  const auto grid = static_cast<unsigned>((blocks + kThreads - 1) / kThreads);
  if (grid == 0) return cudaSuccess;
  if (add) {
    dropout_kernel<T, true><<<grid, kThreads, 0, stream>>>(y, x, numel, plan);
  } else {
    dropout_kernel<T, false><<<grid, kThreads, 0, stream>>>(y, x, numel, plan);
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
