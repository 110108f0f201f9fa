#include "trainer/ops/torch/token_parts_cuda.h"

namespace twinrun::trainer {
namespace {

constexpr int kThreads = 256;

__global__ void add_parts_kernel(float* grad, const float* parts, std::int64_t n,
                                 std::int64_t count, float scale) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= n) return;
  float sum = parts[i];
#pragma unroll 4
  for (std::int64_t part = 1; part < count; ++part) sum = __fadd_rn(sum, parts[part * n + i]);
  grad[i] = __fadd_rn(grad[i], __fmul_rn(scale, sum));
}

}  // namespace

cudaError_t add_parts_cuda(float* grad, const float* parts, std::int64_t n, std::int64_t count,
                           float scale, cudaStream_t stream) {
  if (n == 0) return cudaSuccess;
  const auto grid = static_cast<unsigned>((n + kThreads - 1) / kThreads);
  add_parts_kernel<<<grid, kThreads, 0, stream>>>(grad, parts, n, count, scale);
  return cudaGetLastError();
}

}  // namespace twinrun::trainer
