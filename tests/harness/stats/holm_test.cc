#include "harness/stats/holm.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "tests/harness/stats/means_reference.h"

namespace twinrun::harness {
namespace {

TEST(HolmAdjusted, EqualsThatOfStatsmodels) {
  ASSERT_FALSE(kHolmCases.empty());
  for (const HolmCase& known : kHolmCases) {
    const std::vector<double> found = holm_adjusted(known.p);
    ASSERT_EQ(found.size(), known.adjusted.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_NEAR(found[i], known.adjusted[i], 1e-15);
    }
  }
}

TEST(HolmAdjusted, StepsDownAndStopsAtTheFirstThatIsNotFound) {
  // 0.005 <= 0.05 / 4, 0.01 <= 0.05 / 3, 0.03 > 0.05 / 2: neither it nor 0.04 <= 0.05 / 1 is found.
  const std::vector<double> found = holm_adjusted(std::vector<double>{0.01, 0.04, 0.03, 0.005});
  EXPECT_LE(found[0], 0.05);
  EXPECT_GT(found[1], 0.05);
  EXPECT_GT(found[2], 0.05);
  EXPECT_LE(found[3], 0.05);
}

TEST(HolmAdjusted, OfNoneIsNoneAndOfOneIsItself) {
  EXPECT_TRUE(holm_adjusted({}).empty());
  EXPECT_EQ(holm_adjusted(std::vector<double>{0.25}), std::vector<double>{0.25});
}

TEST(HolmAdjusted, WhatIsNoProbabilityIsRefused) {
  for (const double bad : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN(),
                           std::numeric_limits<double>::infinity()}) {
    EXPECT_THROW(holm_adjusted(std::vector<double>{0.5, bad}), std::invalid_argument) << bad;
  }
}

}  // namespace
}  // namespace twinrun::harness
