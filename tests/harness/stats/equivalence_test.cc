#include "harness/stats/equivalence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>

#include "harness/stats/paired_t.h"
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

TEST(TostPlan, EqualsWhatTryingEveryNumberGives) {
  ASSERT_FALSE(kPlanCases.empty());
  for (const PlanCase& known : kPlanCases) {
    const TostPlan plan{.alpha = known.alpha, .power = known.power};
    EXPECT_EQ(differences_needed(known.ratio, 1, plan), known.differences) << known.ratio;
    EXPECT_EQ(runs_per_arm_needed(known.ratio, 1, plan), known.runs_per_arm) << known.ratio;
    if (known.ratio <= 1) {
      EXPECT_EQ(items_needed(known.ratio * known.ratio, 1, plan), known.items);
    }
    EXPECT_NEAR(reachable_margin(known.ratio, known.differences, plan).value(), known.margin,
                1e-9 * known.margin);
  }
}

TEST(TostPlan, AMarginThatIsReachedNeedsNoMoreThanWhatReachesIt) {
  const TostPlan plan;
  for (const std::int64_t n : {2, 3, 10, 500}) {
    const double margin = reachable_margin(0.3, n, plan).value();
    EXPECT_EQ(differences_needed(0.3, margin * (1 + 1e-12), plan), n);
    const double share = reachable_margin_of_proportions(0.02, n, plan);
    EXPECT_EQ(items_needed(0.02, share * (1 + 1e-12), plan), n);
  }
}

TEST(TostPlan, OfTheDefaultsIsTheFormulaOfTheHeader) {
  // (1.645 + 1.2816)^2 = 8.56
  EXPECT_NEAR(reachable_margin_of_proportions(0.02, 500, {}), std::sqrt(8.56 * 0.02 / 500), 1e-5);
}

TEST(TostPlan, WhatCannotBeReachedIsNone) {
  EXPECT_EQ(reachable_margin(1, 1, {}), std::nullopt);
  EXPECT_EQ(differences_needed(1, 1e-9, {}), std::nullopt);
  EXPECT_EQ(runs_per_arm_needed(1e300, 1e-300, {}), std::nullopt);
  EXPECT_EQ(items_needed(1, 1e-9, {}), std::nullopt);
}

TEST(TostPlan, WhatIsNoPlanIsRefused) {
  for (const double bad : {kNan, kInfinity, 0.0, -1.0}) {
    EXPECT_THROW(reachable_margin(bad, 10, {}), std::invalid_argument);
    EXPECT_THROW(differences_needed(bad, 1, {}), std::invalid_argument);
    EXPECT_THROW(differences_needed(1, bad, {}), std::invalid_argument);
    EXPECT_THROW(runs_per_arm_needed(bad, 1, {}), std::invalid_argument);
    EXPECT_THROW(runs_per_arm_needed(1, bad, {}), std::invalid_argument);
    EXPECT_THROW(items_needed(bad, 0.1, {}), std::invalid_argument);
    EXPECT_THROW(items_needed(0.1, bad, {}), std::invalid_argument);
    EXPECT_THROW(reachable_margin_of_proportions(bad, 10, {}), std::invalid_argument);
    EXPECT_THROW(reachable_margin(1, 10, {.alpha = bad}), std::invalid_argument);
    EXPECT_THROW(reachable_margin(1, 10, {.power = bad}), std::invalid_argument);
  }
  EXPECT_THROW(reachable_margin_of_proportions(1.5, 10, {}), std::invalid_argument);
  EXPECT_THROW(reachable_margin_of_proportions(0.5, 0, {}), std::invalid_argument);
}

}  // namespace
}  // namespace twinrun::harness
