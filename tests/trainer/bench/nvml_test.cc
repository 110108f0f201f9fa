#include "trainer/bench/nvml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace twinrun::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

void expect_nothing_told(const Nvml& nvml) {
  const auto sample = nvml.sample();
  EXPECT_EQ(sample.size(), 6u);
  for (const auto& [name, value] : sample.items()) EXPECT_TRUE(value.is_null()) << name;
}

TEST(Nvml, WhatIsNotThereIsNullWithItsReason) {
  const c10::Device gpu(c10::kCUDA, 0);
  const Nvml cpu(c10::kCPU), absent(gpu, "libtwinrun-nosuch.so.1"), other(gpu, "libm.so.6");
  EXPECT_EQ(cpu.problem(), "the device is a CPU");
  EXPECT_THAT(absent.problem(), HasSubstr("NVML cannot be loaded: libtwinrun-nosuch.so.1"));
  EXPECT_EQ(other.problem(), "libm.so.6 is no NVML");
  for (const auto* nvml : {&cpu, &absent, &other}) expect_nothing_told(*nvml);
}

TEST(Nvml, ThrottleReasonsAreNamedByTheirBits) {
  EXPECT_THAT(throttle_names(0), IsEmpty());
  EXPECT_THAT(throttle_names(0x1), ElementsAre("gpu_idle"));
  EXPECT_THAT(throttle_names(0x4 | 0x20), ElementsAre("sw_power_cap", "sw_thermal"));
  EXPECT_THAT(throttle_names(0x8 | 0x40 | 0x80),
              ElementsAre("hw_slowdown", "hw_thermal", "hw_power_brake"));
  EXPECT_THAT(throttle_names(0x100 | 1ull << 63), ElementsAre("display_clocks", "bit_63"));
}

}  // namespace
}  // namespace twinrun::trainer
