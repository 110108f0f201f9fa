#include "trainer/bench/delay.h"

#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <immintrin.h>

#include <chrono>

#include "trainer/bench/delay_cuda.h"

namespace twinrun::trainer {

void delay_step(c10::Device device, std::int64_t ns) {
  if (ns <= 0) return;
  if (device.is_cuda()) {
    C10_CUDA_CHECK(wait_cuda(ns, c10::cuda::getCurrentCUDAStream(device.index())));
  }
  // Not asleep: waking up would take up to a tenth of a millisecond more, another time each.
  const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(ns);
  while (std::chrono::steady_clock::now() < end) _mm_pause();
}

}  // namespace twinrun::trainer
