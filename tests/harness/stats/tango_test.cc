#include "harness/stats/tango.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "harness/stats/equivalence.h"
#include "harness/stats/random.h"
#include "tests/harness/stats/proportions_reference.h"

namespace twinrun::harness {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(TangoInterval, EqualsTheScoreTestInvertedWith50Digits) {
  ASSERT_FALSE(kTangoCases.empty());
  for (const TangoCase& known : kTangoCases) {
    const Interval found = tango_interval(known.only_a, known.only_b, known.n, known.confidence);
    // Of numbers of size 1: the quantile of the normal distribution has as many digits.
    EXPECT_NEAR(found.low, known.low, 4e-15) << known.only_a << " " << known.only_b;
    EXPECT_NEAR(found.high, known.high, 4e-15) << known.only_a << " " << known.only_b;
  }
}

TEST(TangoInterval, HasThePublishedEnds) {
  // Airway hyper-responsiveness before and after a transplantation, 1 patient in the first alone
  // and 7 in the second of 21. Fagerland, Lydersen, Laake, "Recommended tests and confidence
  // intervals for paired binomial proportions", Statistics in Medicine 33, 2014: -0.517 to -0.026.
  const Interval found = tango_interval(7, 1, 21, 0.95);
  EXPECT_NEAR(found.low, -0.517, 5e-4);
  EXPECT_NEAR(found.high, -0.026, 5e-4);
}

TEST(TangoInterval, OfNoDisagreementIsThatOfWilson) {
  const double z = 1.959963984540054;
  for (const std::int64_t n : {1, 10, 1319, 1000000000}) {
    const Interval found = tango_interval(0, 0, n, 0.95);
    const double end = z * z / (static_cast<double>(n) + z * z);
    EXPECT_EQ(found.estimate, 0);
    EXPECT_NEAR(found.high / end, 1, 1e-14) << n;
    EXPECT_EQ(found.low, -found.high);
  }
}

TEST(TangoInterval, WhereAllDisagreeOneWayTheEndIsOne) {
  for (const std::int64_t n : {1, 5, 1000}) {
    EXPECT_EQ(tango_interval(0, n, n, 0.9).high, 1);
    EXPECT_EQ(tango_interval(n, 0, n, 0.9).low, -1);
    EXPECT_LT(tango_interval(0, n, n, 0.9).low, 1);
  }
}

TEST(TangoInterval, EveryIntervalOfAFewItemsHoldsItsEstimateAndSwapsItsEndsWithTheSystems) {
  for (std::int64_t n = 1; n <= 12; ++n) {
    for (std::int64_t a = 0; a <= n; ++a) {
      for (std::int64_t b = 0; a + b <= n; ++b) {
        const Interval found = tango_interval(a, b, n, 0.9), swapped = tango_interval(b, a, n, 0.9);
        EXPECT_EQ(found.low, -swapped.high);
        EXPECT_EQ(found.high, -swapped.low);
        EXPECT_LE(-1, found.low);
        EXPECT_LE(found.low, found.estimate);
        EXPECT_LE(found.estimate, found.high);
        EXPECT_LE(found.high, 1);
        EXPECT_LT(found.low, found.high);
        const Interval wider = tango_interval(a, b, n, 0.99);
        EXPECT_LE(wider.low, found.low);
        EXPECT_GE(wider.high, found.high);
      }
    }
  }
}

/// How many of `trials` at the margin, both kinds of disagreement from independent items, are taken
/// for equivalent.
int accepted_at_margin(std::int64_t n, double disagreement, double margin, int trials) {
  Random random(7);
  int accepted = 0;
  for (int trial = 0; trial < trials; ++trial) {
    std::int64_t only_a = 0, only_b = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const double u = random.uniform();
      if (u < (disagreement + margin) / 2) {
        ++only_b;
      } else if (u < disagreement) {
        ++only_a;
      }
    }
    const Interval found = tango_interval(only_a, only_b, n, tost_confidence(0.05));
    accepted += judge_equivalence(found, margin) == Equivalence::kEquivalent ? 1 : 0;
  }
  return accepted;
}

TEST(TangoInterval, AtTheMarginAcceptsAboutAsOftenAsAlpha) {
  constexpr std::int64_t kItems = 2000;
  constexpr int kTrials = 10000;
  constexpr double kDisagreement = 0.05, kMargin = 0.02;
  const double rate = accepted_at_margin(kItems, kDisagreement, kMargin, kTrials) / double{kTrials};
  // The difference of counts is a whole number with that deviation, so that the tail below a limit
  // is off by at most one of them, which has the density of the normal distribution at 1.645 over
  // the deviation; and 5 deviations of the count of trials.
  const double deviation =
      std::sqrt(static_cast<double>(kItems) * (kDisagreement - kMargin * kMargin));
  const double whole_numbers = 0.1031 / deviation;
  const double chance = 5 * std::sqrt(0.05 * 0.95 / kTrials);
  EXPECT_LE(rate, 0.05 + whole_numbers + chance);
  EXPECT_GE(rate, 0.05 - whole_numbers - chance);
}

TEST(TangoInterval, CountsThatCannotBeAreRefused) {
  EXPECT_THROW(tango_interval(-1, 0, 5, 0.9), std::invalid_argument);
  EXPECT_THROW(tango_interval(0, -1, 5, 0.9), std::invalid_argument);
  EXPECT_THROW(tango_interval(3, 3, 5, 0.9), std::invalid_argument);
  EXPECT_THROW(tango_interval(0, 0, 0, 0.9), std::invalid_argument);
  EXPECT_THROW(tango_interval(0, 0, std::int64_t{1} << 53, 0.9), std::invalid_argument);
  constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
  EXPECT_THROW(tango_interval(kLargest, kLargest, 5, 0.9), std::invalid_argument);
  for (const double bad : {0.0, 1.0, -0.5, 95.0, kNan}) {
    EXPECT_THROW(tango_interval(1, 2, 5, bad), std::invalid_argument) << bad;
  }
}

TEST(TangoInterval, OfNextToNoConfidenceIsNextToThePoint) {
  for (const double tiny : {1e-300, 1e-17, 1e-15}) {
    const Interval found = tango_interval(3, 7, 50, tiny);
    EXPECT_NEAR(found.low, 0.08, 1e-14);
    EXPECT_NEAR(found.high, 0.08, 1e-14);
  }
}

TEST(McnemarP, EqualsTheBinomialTest) {
  ASSERT_FALSE(kMcnemarCases.empty());
  for (const McnemarCase& known : kMcnemarCases) {
    EXPECT_NEAR(mcnemar_p(known.only_a, known.only_b), known.p, 1e-9 * known.p);
    EXPECT_EQ(mcnemar_p(known.only_a, known.only_b), mcnemar_p(known.only_b, known.only_a));
  }
}

TEST(McnemarP, IsOneWithoutADisagreement) { EXPECT_EQ(mcnemar_p(0, 0), 1); }

TEST(McnemarP, CountsThatCannotBeAreRefused) {
  EXPECT_THROW(mcnemar_p(-1, 2), std::invalid_argument);
  EXPECT_THROW(mcnemar_p(2, -1), std::invalid_argument);
  constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
  EXPECT_THROW(mcnemar_p(kLargest, kLargest), std::invalid_argument);
}

}  // namespace
}  // namespace twinrun::harness
