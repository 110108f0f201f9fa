#include "harness/stats/paired_t.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "tests/harness/stats/means_reference.h"

namespace twinrun::harness {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// To 1e-9 of the larger of value and error: a mean may be 0.
void expect_same(double found, double known, double error) {
  EXPECT_LE(std::abs(found - known), 1e-9 * std::max(std::abs(known), error));
}

TEST(PairedMean, EqualsScipysStudentTest) {
  ASSERT_FALSE(kPairedCases.empty());
  for (const PairedCase& known : kPairedCases) {
    const MeanDifference found = paired_mean(known.differences).value();
    expect_same(found.mean, known.mean, known.error);
    expect_same(found.error, known.error, 0);
    EXPECT_EQ(found.freedom, known.freedom);
    EXPECT_EQ(found.correlation, 0);
    const Interval interval = t_interval(found, 0.9);
    expect_same(interval.low, known.low, known.error);
    expect_same(interval.high, known.high, known.error);
    EXPECT_EQ(interval.estimate, found.mean);
    EXPECT_NEAR(t_p_value(found), known.p, 1e-9 * known.p);
  }
}

TEST(SeriesMean, EqualsItsStatedFormula) {
  ASSERT_FALSE(kSeriesCases.empty());
  bool correlated = false;
  for (const SeriesCase& known : kSeriesCases) {
    const MeanDifference found = series_mean(known.differences).value();
    expect_same(found.mean, known.mean, known.error);
    expect_same(found.error, known.error, 0);
    expect_same(found.freedom, known.freedom, 0);
    EXPECT_NEAR(found.correlation, known.correlation, 1e-9);
    const Interval interval = t_interval(found, 0.9);
    expect_same(interval.low, known.low, known.error);
    expect_same(interval.high, known.high, known.error);
    correlated = correlated || found.correlation > 0.5;
  }
  EXPECT_TRUE(correlated);
}

TEST(SeriesMean, NeighboursThatAlternateCountNoMoreThanIfTheyDidNot) {
  const std::vector<double> alternating = {1, -1, 1.5, -1, 1, -2};
  const MeanDifference series = series_mean(alternating).value();
  EXPECT_EQ(series.correlation, 0);
  EXPECT_EQ(series.error, paired_mean(alternating).value().error);
}

TEST(SeriesMean, ASlopeLeavesTooFewToCount) {
  std::vector<double> slope;
  for (int i = 0; i < 8; ++i) slope.push_back(i);
  // r = 0.625 of 8: 1.85 are left.
  EXPECT_FALSE(series_mean(slope).has_value());
}

TEST(PairedMean, EqualDifferencesArePointsOfThatValue) {
  for (const double value : {0.0, 0.1, -3.0, 1e308}) {
    const std::vector<double> equal(10, value);
    for (const auto& found : {paired_mean(equal), series_mean(equal)}) {
      EXPECT_EQ(found.value().mean, value);
      EXPECT_EQ(found.value().error, 0);
      EXPECT_EQ(t_interval(*found, 0.9), (Interval{value, value, value}));
      EXPECT_EQ(t_p_value(*found), value == 0 ? 1 : 0);
    }
  }
}

TEST(PairedMean, SwappingTheTwoNegatesIt) {
  std::vector<double> swapped = kPairedCases[2].differences;
  for (double& x : swapped) x = -x;
  for (const auto& mean : {paired_mean, series_mean}) {
    const MeanDifference one = mean(kPairedCases[2].differences).value();
    const MeanDifference other = mean(swapped).value();
    EXPECT_EQ(t_interval(one, 0.95).low, -t_interval(other, 0.95).high);
    EXPECT_EQ(t_interval(one, 0.95).high, -t_interval(other, 0.95).low);
    EXPECT_EQ(t_p_value(one), t_p_value(other));
  }
}

TEST(PairedMean, SquaresThatNoDoubleHoldsDoNotMatter) {
  for (const double scale : {1e-200, 1e200}) {
    const MeanDifference found =
        paired_mean(std::vector<double>{1 * scale, 2 * scale, 3 * scale, 4 * scale}).value();
    EXPECT_NEAR(found.mean / scale, 2.5, 1e-14);
    EXPECT_NEAR(found.error / scale, std::sqrt(5.0 / 3 / 4), 1e-14);
  }
}

TEST(PairedMean, FewerThanTwoGiveNone) {
  for (const auto& mean : {paired_mean, series_mean}) {
    EXPECT_FALSE(mean({}).has_value());
    EXPECT_FALSE(mean(std::vector<double>{1}).has_value());
    EXPECT_TRUE(mean(std::vector<double>{1, 2}).has_value());
  }
}

TEST(PairedMean, WhatIsNotFiniteIsRefused) {
  for (const auto& mean : {paired_mean, series_mean}) {
    for (const double bad : {kNan, kInfinity, -kInfinity}) {
      EXPECT_THROW(mean(std::vector<double>{1, bad, 2}), std::invalid_argument);
    }
    EXPECT_THROW(mean(std::vector<double>{-1.7e308, 1.7e308}), std::invalid_argument);
  }
  for (const double bad : {0.0, 1.0, kNan}) {
    EXPECT_THROW(t_interval({.mean = 1, .error = 1, .freedom = 3}, bad), std::invalid_argument);
  }
}

}  // namespace
}  // namespace twinrun::harness
