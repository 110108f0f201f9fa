#include "harness/stats/random.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "tests/harness/stats/means_reference.h"

namespace twinrun::harness {
namespace {

TEST(Random, GivesTheNumbersOfSplitMix64) {
  ASSERT_FALSE(kRandomCases.empty());
  for (const RandomCase& known : kRandomCases) {
    Random random(known.seed);
    for (const std::uint64_t number : known.numbers) EXPECT_EQ(random.next(), number);
  }
}

TEST(Random, UniformLiesInsideZeroAndOne) {
  Random random(1);
  double sum = 0;
  for (int i = 0; i < 100000; ++i) {
    const double u = random.uniform();
    ASSERT_GT(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
  }
  // 5 deviations of a mean of 100,000.
  EXPECT_NEAR(sum / 100000, 0.5, 5 * std::sqrt(1.0 / 12 / 100000));
}

TEST(Random, BelowStaysBelowAndHasNoFavourite) {
  Random random(2);
  std::array<int, 7> seen{};
  for (int i = 0; i < 70000; ++i) {
    const std::uint32_t drawn = random.below(7);
    ASSERT_LT(drawn, 7u);
    ++seen[drawn];
  }
  for (const int count : seen) EXPECT_NEAR(count, 10000, 5 * std::sqrt(70000 * 6.0 / 49));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.below(1), 0u);
}

TEST(Random, BelowABoundThatRejectsNearlyHalfIsStillEven) {
  Random random(3);
  constexpr std::uint32_t kBound = (1u << 31) + 1;
  int upper = 0;
  for (int i = 0; i < 100000; ++i) upper += random.below(kBound) >= (1u << 30) ? 1 : 0;
  EXPECT_NEAR(upper, 50000, 5 * std::sqrt(25000.0));
}

}  // namespace
}  // namespace twinrun::harness
