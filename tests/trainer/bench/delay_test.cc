#include "trainer/bench/delay.h"

#include <gtest/gtest.h>

#include <chrono>

namespace twinrun::trainer {
namespace {

TEST(Delay, OnACpuIsNeverShorterThanAsked) {
  for (const std::int64_t ns : {1, 1'000, 1'000'000, 20'000'000}) {
    const auto start = std::chrono::steady_clock::now();
    delay_step(c10::kCPU, ns);
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::nanoseconds(ns));
  }
}

TEST(Delay, OfNothingIsNone) {
  delay_step(c10::kCPU, 0);
  delay_step(c10::Device(c10::kCUDA, 0), 0);  // would throw here if it launched anything
}

}  // namespace
}  // namespace twinrun::trainer
