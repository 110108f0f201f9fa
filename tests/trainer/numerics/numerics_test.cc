#include "trainer/numerics/numerics.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <xmmintrin.h>

#include "trainer/train/train_config.h"

namespace twinrun::trainer {
namespace {

NumericsOptions options(const std::string& mode) {
  return {.mode = mode, .dtype = "float32", .device = "cpu", .isa = "auto", .threads = 2};
}

TEST(Numerics, EveryModeButFastPromisesBits) {
  EXPECT_FALSE(promises_bits(options("fast")));
  EXPECT_TRUE(promises_bits(options("deterministic")));
  EXPECT_TRUE(promises_bits(options("portable")));
}

TEST(Numerics, ArithmeticIsNamedByModeAndType) {
  EXPECT_EQ(arithmetic_id(options("fast")), "libtorch-float32/1");
  EXPECT_EQ(arithmetic_id(options("deterministic")), "libtorch-float32/1");
  EXPECT_EQ(arithmetic_id(options("portable")), "portable-f32/1");
}

TEST(Numerics, DenormalsAreKeptWherePromised) {
  for (const char* mode : {"deterministic", "portable"}) {
    _mm_setcsr(_mm_getcsr() | 0x8040);
    apply_numerics(options(mode), at::kCPU);
    EXPECT_EQ(_mm_getcsr() & 0x8040, 0u) << mode;
    EXPECT_EQ(read_switches().at("flush_denormal"), false) << mode;
  }
}

}  // namespace
}  // namespace twinrun::trainer
