#include "trainer/ops/portable/rope_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>
#include <vector>

#include "harness/protocol/sha256.h"
namespace twinrun::trainer::portable {
namespace {

constexpr double kThetas[] = {1.5, 1000, 10000, 100000, 500000, 1000000, 12345.678, 1e9};
constexpr std::int64_t kHeadDims[] = {2, 16, 64, 80, 96, 128, 256};

TEST(PortableInvFreq, IsTheNearestFloat) {
  int undecided = 0, values = 0;
  for (const double theta : kThetas) {
    for (const std::int64_t head_dim : kHeadDims) {
      for (std::int64_t index = 0; index < head_dim / 2; ++index, ++values) {
        const auto exponent = -2.0L * static_cast<long double>(index) / head_dim;
        const long double exact = std::pow(static_cast<long double>(theta), exponent);
        // 2^-63 of powl and, from the rounded exponent, that times ln(theta) < 21.
        const auto below = static_cast<float>(exact * (1 - 0x1p-56L));
        const auto above = static_cast<float>(exact * (1 + 0x1p-56L));
        if (below != above) {
          ++undecided;
          continue;
        }
        EXPECT_EQ(portable_inv_freq({theta}, index, head_dim), below)
            << theta << ", " << index << " of " << head_dim;
      }
    }
  }
  EXPECT_EQ(values, 8 * (1 + 8 + 32 + 40 + 48 + 64 + 128));
  EXPECT_EQ(undecided, 0);
}

TEST(PortableInvFreq, PowersOfTwoAndOneAreExact) {
  EXPECT_EQ(portable_inv_freq({10000}, 0, 64), 1.0f);
  EXPECT_EQ(portable_inv_freq({1}, 5, 64), 1.0f);
  EXPECT_EQ(portable_inv_freq({65536}, 8, 32), 0x1p-8f);
  EXPECT_EQ(portable_inv_freq({0x1p1023}, 1, 4), static_cast<float>(0x1p-511));
}

TEST(PortableInvFreq, RefusesToGuessWhereTheMiddleOfTwoFloatsIsTooNear) {
  // The double nearest to m^-16, where m = 26759507 / 2^25 is the middle of two floats; m is within
  // 2^-81.8 of theta^(-2 / 32), relative.
  EXPECT_THROW(portable_inv_freq({0x1.2ad70112f748bp+5}, 1, 32), std::domain_error);
  EXPECT_EQ(portable_inv_freq({0x1.2ad70112f748cp+5}, 1, 32), 26759506 * 0x1p-25f);
  EXPECT_EQ(portable_inv_freq({0x1.2ad70112f748ap+5}, 1, 32), 26759508 * 0x1p-25f);
}

TEST(PortableInvFreq, RefusesWhatIsOutsideItsDomain) {
  EXPECT_THROW(portable_inv_freq({0.5}, 0, 64), std::domain_error);
  EXPECT_THROW(portable_inv_freq({std::numeric_limits<double>::quiet_NaN()}, 0, 64),
               std::domain_error);
  EXPECT_THROW(portable_inv_freq({std::numeric_limits<double>::infinity()}, 0, 64),
               std::domain_error);
  EXPECT_THROW(portable_inv_freq({10000}, 32, 64), std::domain_error);
  EXPECT_THROW(portable_inv_freq({10000}, -1, 64), std::domain_error);
  EXPECT_THROW(portable_inv_freq({10000}, 0, 63), std::domain_error);
  EXPECT_THROW(portable_inv_freq({10000}, 0, 0), std::domain_error);
}

TEST(RopeTable, IsCosAndSinOfTheRoundedAngle) {
  constexpr std::int64_t kLength = 300, kHeadDim = 64, kHalf = kHeadDim / 2;
  std::vector<float> cos(kLength * kHalf), sin(kLength * kHalf);
  rope_table({10000}, kHeadDim, kLength, cos.data(), sin.data());
  for (std::int64_t position = 0; position < kLength; ++position) {
    for (std::int64_t i = 0; i < kHalf; ++i) {
      const long double inv_freq = std::pow(10000.0L, -static_cast<long double>(i) / kHalf);
      // A product of two floats is exact in double.
      const auto angle = static_cast<float>(static_cast<double>(position) *
                                            static_cast<double>(static_cast<float>(inv_freq)));
      const std::int64_t at = position * kHalf + i;
      EXPECT_EQ(cos[at], static_cast<float>(std::cos(static_cast<long double>(angle)))) << at;
      EXPECT_EQ(sin[at], static_cast<float>(std::sin(static_cast<long double>(angle)))) << at;
    }
  }
}

TEST(RopeTable, HasTheFrozenDigest) {
  // docs/numerics.md, "Unary functions": theta 10000, head_dim 64, 2,048 positions, cos then sin.
  std::vector<float> table(2 * 2048 * 32);
  rope_table({10000}, 64, 2048, table.data(), table.data() + 2048 * 32);
  EXPECT_EQ(protocol::to_hex(protocol::sha256(std::as_bytes(std::span(table)))),
            "3123093c1282eb165af71a974f2b4aa430e2b636f262f30b1438cf10bc8b2f6c");
}

}  // namespace
}  // namespace twinrun::trainer::portable
