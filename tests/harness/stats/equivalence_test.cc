#include "harness/stats/equivalence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <vector>

#include "harness/stats/paired_t.h"
#include "harness/stats/random.h"
#include "tests/harness/stats/means_reference.h"

namespace twinrun::harness {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Equivalence judged(double low, double high, double margin) {
  return judge_equivalence({.estimate = 0, .low = low, .high = high}, margin);
}

TEST(JudgeEquivalence, InsideOutsideAndAcross) {
  EXPECT_EQ(judged(-0.5, 0.9, 1), Equivalence::kEquivalent);
  EXPECT_EQ(judged(1.1, 2, 1), Equivalence::kDifferent);
  EXPECT_EQ(judged(-2, -1.1, 1), Equivalence::kDifferent);
  EXPECT_EQ(judged(0, 1.1, 1), Equivalence::kUndecided);
  EXPECT_EQ(judged(-3, 3, 1), Equivalence::kUndecided);
}

TEST(JudgeEquivalence, AnEndOnTheMarginDecidesNothing) {
  EXPECT_EQ(judged(0, 1, 1), Equivalence::kUndecided);
  EXPECT_EQ(judged(-1, 0, 1), Equivalence::kUndecided);
  EXPECT_EQ(judged(-1, 1, 1), Equivalence::kUndecided);
  EXPECT_EQ(judged(1, 2, 1), Equivalence::kUndecided);
  EXPECT_EQ(judged(-2, -1, 1), Equivalence::kUndecided);
  EXPECT_EQ(judged(1, 1, 1), Equivalence::kUndecided);
}

TEST(JudgeEquivalence, WhatIsNotFiniteIsRefusedNotPassed) {
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    EXPECT_THROW(judged(bad, 0, 1), std::invalid_argument);
    EXPECT_THROW(judged(0, bad, 1), std::invalid_argument);
    EXPECT_THROW(judged(0, 0, bad), std::invalid_argument);
  }
  EXPECT_THROW(judged(1, 0, 2), std::invalid_argument);
  EXPECT_THROW(judged(0, 0, 0), std::invalid_argument);
  EXPECT_THROW(judged(0, 0, -1), std::invalid_argument);
}

TEST(JudgeEquivalence, OfStudentsIntervalIsTheTwoTestsOfStatsmodels) {
  ASSERT_FALSE(kTostCases.empty());
  int equivalent = 0;
  for (const TostCase& known : kTostCases) {
    const Interval interval =
        t_interval(paired_mean(known.differences).value(), tost_confidence(0.05));
    const bool found = judge_equivalence(interval, known.margin) == Equivalence::kEquivalent;
    EXPECT_EQ(found, known.p < 0.05) << known.margin << " " << known.p;
    equivalent += found ? 1 : 0;
  }
  EXPECT_GT(equivalent, 0);
  EXPECT_LT(equivalent, static_cast<int>(kTostCases.size()));
}

TEST(TostConfidence, LeavesAlphaAtEitherEnd) {
  EXPECT_EQ(tost_confidence(0.05), 0.9);
  for (const double bad : {0.0, 0.5, 1.0, -0.1, kNan}) {
    EXPECT_THROW(tost_confidence(bad), std::invalid_argument) << bad;
  }
}

TEST(ReachableMargin, EqualsTheFormulaWithScipysQuantiles) {
  ASSERT_FALSE(kPlanCases.empty());
  for (const PlanCase& known : kPlanCases) {
    const TostPlan plan{.alpha = known.alpha, .power = known.power};
    EXPECT_NEAR(reachable_margin(known.deviation, known.n, plan).value(), known.margin,
                1e-9 * known.margin);
  }
}

TEST(ReachableMargin, IsAcceptedAsOftenAsItSays) {
  constexpr int kTrials = 4000, kItems = 30;
  const double margin = reachable_margin(1, kItems, {}).value();
  Random random(3);
  int accepted = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> differences;
    for (int i = 0; i < kItems; ++i) {
      const double radius = std::sqrt(-2 * std::log(random.uniform()));
      differences.push_back(radius * std::cos(2 * std::acos(-1.0) * random.uniform()));
    }
    const Interval interval = t_interval(paired_mean(differences).value(), tost_confidence(0.05));
    accepted += judge_equivalence(interval, margin) == Equivalence::kEquivalent ? 1 : 0;
  }
  // Both quantiles of t make it slightly more; 4 deviations of chance.
  EXPECT_NEAR(accepted / double{kTrials}, 0.81, 0.01 + 4 * std::sqrt(0.8 * 0.2 / kTrials));
}

TEST(ReachableMargin, OfOneDifferenceIsNone) {
  EXPECT_EQ(reachable_margin(1, 1, {}), std::nullopt);
}

TEST(ReachableMargin, WhatIsNoPlanIsRefused) {
  for (const double bad : {kNan, kInfinity, 0.0, -1.0}) {
    EXPECT_THROW(reachable_margin(bad, 10, {}), std::invalid_argument) << bad;
    EXPECT_THROW(reachable_margin(1, 10, {.alpha = bad}), std::invalid_argument) << bad;
    EXPECT_THROW(reachable_margin(1, 10, {.power = bad}), std::invalid_argument) << bad;
  }
}

}  // namespace
}  // namespace twinrun::harness
