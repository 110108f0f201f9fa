#include "harness/stats/conformal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "tests/harness/stats/means_reference.h"

namespace twinrun::harness {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(ConformalP, IsTheRankAmongAll) {
  const std::vector<double> calibration = {3, 1, 2};
  EXPECT_EQ(conformal_p(calibration, 4), 0.25);
  EXPECT_EQ(conformal_p(calibration, 2.5), 0.5);
  EXPECT_EQ(conformal_p(calibration, 0), 1);
}

TEST(ConformalP, ATieCountsAsLargerInTheCalibration) {
  EXPECT_EQ(conformal_p(std::vector<double>{1, 2, 2}, 2), 0.75);
  EXPECT_EQ(conformal_p(std::vector<double>{0.0}, -0.0), 1);
}

TEST(ConformalP, AScoreThatIsNotFiniteGetsTheSmallestThereIs) {
  const std::vector<double> calibration(99, 1.0);
  for (const double bad : {kNan, -kNan, kInfinity, -kInfinity}) {
    EXPECT_EQ(conformal_p(calibration, bad), 0.01) << bad;
  }
}

TEST(ConformalP, ACalibrationThatIsNoneIsRefused) {
  EXPECT_THROW(conformal_p({}, 1), std::invalid_argument);
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    EXPECT_THROW(conformal_p(std::vector<double>{1, bad}, 1), std::invalid_argument) << bad;
  }
}

TEST(ConformalP, IsAtMostAlphaForThatShareOfAllOrders) {
  // Which of 6 equal runs the judged one is makes no difference: all 720 orders count the same.
  std::vector<double> scores = {1, 2, 3, 4, 5, 6};
  int orders = 0, alarms = 0;
  do {
    ++orders;
    alarms += conformal_p(std::span(scores).first(5), scores[5]) <= 1.0 / 3 ? 1 : 0;
  } while (std::next_permutation(scores.begin(), scores.end()));
  EXPECT_EQ(orders, 720);
  EXPECT_EQ(alarms, 240);
}

TEST(ConformalLimit, JustTheScoresAboveItHaveAPValueOfAtMostAlpha) {
  const std::vector<double> scores = {0.9, 0.2, 0.5, 0.7, 0.1, 0.3, 0.8, 0.4, 0.6};
  for (const double alpha : {0.1, 0.2, 0.35, 0.5, 0.99}) {
    const auto limit = conformal_limit(scores, alpha);
    ASSERT_TRUE(limit) << alpha;
    EXPECT_GT(conformal_p(scores, *limit), alpha);
    EXPECT_LE(conformal_p(scores, std::nextafter(*limit, 2.0)), alpha);
  }
  EXPECT_EQ(conformal_limit(scores, 0.1), 0.9);
}

TEST(ConformalLimit, TooFewRunsHaveNone) {
  EXPECT_FALSE(conformal_limit(std::vector<double>{0.1, 0.2}, 0.01));
}

TEST(ConformalLimit, RefusesWhatHasNoMeaning) {
  const std::vector<double> none, broken = {0.1, std::numeric_limits<double>::quiet_NaN()};
  EXPECT_THROW(conformal_limit(none, 0.1), std::invalid_argument);
  EXPECT_THROW(conformal_limit(broken, 0.1), std::invalid_argument);
  EXPECT_THROW(conformal_limit(std::vector<double>{1}, 0), std::invalid_argument);
  EXPECT_THROW(conformal_limit(std::vector<double>{1}, std::nan("")), std::invalid_argument);
}

TEST(ConformalFalseAlarms, EqualTheBetaQuantileOfScipy) {
  ASSERT_FALSE(kAlarmCases.empty());
  for (const AlarmCase& known : kAlarmCases) {
    const FalseAlarmRate found = conformal_false_alarms(known.runs, known.alpha);
    EXPECT_EQ(found.mean, known.mean) << known.runs << " " << known.alpha;
    EXPECT_NEAR(found.worst, known.worst, 1e-9 * known.worst);
    EXPECT_LE(found.mean, known.alpha);
  }
}

TEST(ConformalFalseAlarms, WhatIsNoCalibrationOrNoAlphaIsRefused) {
  EXPECT_THROW(conformal_false_alarms(0, 0.05), std::invalid_argument);
  for (const double bad : {0.0, 1.0, kNan}) {
    EXPECT_THROW(conformal_false_alarms(99, bad), std::invalid_argument) << bad;
  }
}

}  // namespace
}  // namespace twinrun::harness
