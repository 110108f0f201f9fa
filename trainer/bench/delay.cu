#include "trainer/bench/delay_cuda.h"

namespace twinrun::trainer {
namespace {

__device__ std::int64_t global_timer() {
  std::int64_t ns;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(ns));
  return ns;
}

// The timer moves in ticks of up to a microsecond: from the edge of one, so that none is lost.
__global__ void wait_kernel(std::int64_t ns) {
  const auto before = global_timer();
  auto start = before;
  while (start == before) start = global_timer();
  while (global_timer() - start < ns) {
  }
}

}  // namespace

cudaError_t wait_cuda(std::int64_t ns, cudaStream_t stream) {
  wait_kernel<<<1, 1, 0, stream>>>(ns);
  return cudaGetLastError();
}

}  // namespace twinrun::trainer
