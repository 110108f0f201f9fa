#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <c10/util/BFloat16.h>

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
void launch(at::Tensor& y, const at::Tensor& x, const DropoutPlan& plan, bool add) {
  const auto blocks = (x.numel() + 3) / 4;
  const auto grid = static_cast<unsigned>((blocks + kThreads - 1) / kThreads);
  if (grid == 0) return;
  auto* out = y.mutable_data_ptr<T>();
  const auto* in = x.const_data_ptr<T>();
  const auto stream = c10::cuda::getCurrentCUDAStream();
  if (add) {
    dropout_kernel<T, true><<<grid, kThreads, 0, stream>>>(out, in, x.numel(), plan);
  } else {
    dropout_kernel<T, false><<<grid, kThreads, 0, stream>>>(out, in, x.numel(), plan);
  }
  C10_CUDA_CHECK(cudaGetLastError());
}

}  // namespace

void dropout_cuda(at::Tensor& y, const at::Tensor& x, const DropoutPlan& plan, bool add) {
  if (x.scalar_type() == at::kFloat) return launch<float>(y, x, plan, add);
  TORCH_CHECK(x.scalar_type() == at::kBFloat16, "dropout of ", x.scalar_type());
  launch<c10::BFloat16>(y, x, plan, add);
}

}  // namespace twinrun::trainer
