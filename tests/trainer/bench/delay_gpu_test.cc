// The delay on a GPU. Label `gpu`.

#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAException.h>
#include <gtest/gtest.h>

#include <chrono>

#include "trainer/bench/delay.h"
#include "trainer/bench/delay_cuda.h"
#include "trainer/bench/step_marks.h"

namespace twinrun::trainer {
namespace {

const c10::Device kGpu(c10::kCUDA, 0);

TEST(GpuDelay, OnTheStreamIsNeverShorterThanAskedAndLittleLonger) {
  const auto stream = at::cuda::getCurrentCUDAStream();
  for (const std::int64_t ns : {1'000, 100'000, 5'000'000}) {
    C10_CUDA_CHECK(wait_cuda(ns, stream));  // loads the kernel
    StepMarks marks(kGpu);
    marks.mark();
    for (int i = 0; i < 100; ++i) {
      C10_CUDA_CHECK(wait_cuda(ns, stream));
      marks.mark();
    }
    stream.synchronize();
    const auto waited = marks.intervals_ns();
    // Events tell half microseconds.
    for (const auto one : waited) EXPECT_GE(one, ns - 500);
    EXPECT_LE(median(waited), ns + 20'000);
  }
}

TEST(GpuDelay, OfAStepHoldsTheQueueingThreadAndTheStreamAtOnce) {
  constexpr std::int64_t kNs = 10'000'000;
  const auto stream = at::cuda::getCurrentCUDAStream();
  delay_step(kGpu, 1);
  stream.synchronize();
  const auto start = std::chrono::steady_clock::now();
  delay_step(kGpu, kNs);
  const auto queued = std::chrono::steady_clock::now() - start;
  stream.synchronize();
  const auto both = std::chrono::steady_clock::now() - start;
  EXPECT_GE(queued, std::chrono::nanoseconds(kNs));
  EXPECT_LT(both, std::chrono::nanoseconds(kNs * 3 / 2)) << "one after the other";
}

}  // namespace
}  // namespace twinrun::trainer
