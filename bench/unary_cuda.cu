#include "bench/unary_cuda.h"
#include "trainer/ops/portable/unary.h"

namespace twinrun::bench {
namespace {

using namespace trainer::portable;

constexpr int kThreads = 256;

template <float (*function)(float)>
__global__ void unary_kernel(std::uint32_t first, float* out, std::int64_t count) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i < count) out[i] = function(float_of(first + static_cast<std::uint32_t>(i)));
}

template <float (*function)(float)>
cudaError_t launch(std::uint32_t first, float* out, std::int64_t count, cudaStream_t stream) {
  const auto grid = static_cast<unsigned>((count + kThreads - 1) / kThreads);
  unary_kernel<function><<<grid, kThreads, 0, stream>>>(first, out, count);
  return cudaGetLastError();
}

}  // namespace

cudaError_t unary_cuda(Unary function, std::uint32_t first, float* out, std::int64_t count,
                       cudaStream_t stream) {
  switch (function) {
    case Unary::kExp:
      return launch<portable_exp>(first, out, count, stream);
    case Unary::kLog:
      return launch<portable_log>(first, out, count, stream);
    case Unary::kRsqrt:
      return launch<portable_rsqrt>(first, out, count, stream);
    case Unary::kSin:
      return launch<portable_sin>(first, out, count, stream);
    case Unary::kCos:
      return launch<portable_cos>(first, out, count, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace twinrun::bench
