#include "harness/stats/paired_t.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "harness/stats/random.h"
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

TEST(ClusteredMean, EqualsStatsmodelsErrorsByCluster) {
  ASSERT_FALSE(kClusteredCases.empty());
  for (const ClusteredCase& known : kClusteredCases) {
    const MeanDifference found = clustered_mean(known.differences, known.clusters).value();
    expect_same(found.mean, known.mean, known.error);
    expect_same(found.error, known.error, 0);
    EXPECT_EQ(found.freedom, known.freedom);
    const Interval interval = t_interval(found, 0.9);
    expect_same(interval.low, known.low, known.error);
    expect_same(interval.high, known.high, known.error);
    EXPECT_NEAR(t_p_value(found), known.p, 1e-9 * known.p);
  }
}

TEST(ClusteredMean, OfClustersOfOneIsThePairedMean) {
  for (const PairedCase& known : kPairedCases) {
    const MeanDifference found = clustered_mean(known.differences, {}).value();
    expect_same(found.mean, known.mean, known.error);
    expect_same(found.error, known.error, 0);
  }
}

TEST(ClusteredMean, OneClusterTellsNothing) {
  const std::vector<double> differences = {1, 2, 4};
  EXPECT_FALSE(clustered_mean(differences, std::vector<std::int64_t>{7, 7, 7}));
  EXPECT_FALSE(clustered_mean({}, {}));
  // Rows that cancel in each cluster are no proof that clusters do not scatter.
  EXPECT_FALSE(
      clustered_mean(std::vector<double>{1, -1, 3, -3}, std::vector<std::int64_t>{1, 1, 2, 2}));
  EXPECT_THROW(clustered_mean(differences, std::vector<std::int64_t>{1, 2}), std::invalid_argument);
  EXPECT_THROW(clustered_mean(std::vector<double>{1, kNan}, {}), std::invalid_argument);
  const std::vector<double> equal = {0.1, 0.1, 0.1};
  const MeanDifference found = clustered_mean(equal, std::vector<std::int64_t>{1, 1, 2}).value();
  EXPECT_EQ(found.mean, 0.1);
  EXPECT_EQ(found.error, 0);
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

// 0, 2, 1, 1, 2, 0 has deviations -1, 1, 0, 0, 1, -1: 4 squares, -2 of neighbours, so that -1/2 is
// seen. Of six (6 v + 1) / 2 is -1, which counts as 0.
TEST(SeriesMean, IsWorkedOutByHand) {
  const MeanDifference none = series_mean(std::vector<double>{0, 2, 1, 1, 2, 0}).value();
  EXPECT_EQ(none.correlation, 0);
  EXPECT_EQ(none.freedom, 5);
  EXPECT_DOUBLE_EQ(none.error, std::sqrt(4.0 / 6 / 5));
  // Of neighbours 8 products of pairs less 7 of their borders, to 16 squares: (1 + 1) / 12 = 1/6,
  // and 16 (5/6) / (7/6) = 80/7 count.
  const std::vector<double> pairs = {1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1};
  const MeanDifference some = series_mean(pairs).value();
  EXPECT_DOUBLE_EQ(some.correlation, 1.0 / 6);
  EXPECT_DOUBLE_EQ(some.freedom, 73.0 / 7);
  EXPECT_DOUBLE_EQ(some.error, std::sqrt(7.0 / 73));
}

TEST(SeriesMean, ASlopeLeavesTooFewToCount) {
  std::vector<double> slope;
  for (int i = 0; i < 8; ++i) slope.push_back(i);
  // 0.625 is seen, which of eight stands for more than 1.
  EXPECT_FALSE(series_mean(slope).has_value());
}

TEST(SeriesMean, FewerThanTwoThatCountGiveNone) {
  // Of ten (10 v + 1) / 6 has to be at most 2/3, so v at most 0.3.
  const std::vector<double> below = {1, 1, 1, -1, -1, 1, -1, -1, -1, 1};  // v = 1/10
  EXPECT_DOUBLE_EQ(series_mean(below).value().correlation, 1.0 / 3);
  const std::vector<double> above = {1, 1, 1, 1, 1, -1, -1, -1, -1, -1};  // v = 7/10
  EXPECT_FALSE(series_mean(above).has_value());
}

TEST(SeriesMean, FewerThanFiveShowNoCorrelationAndGiveNone) {
  for (const std::vector<double>& few : {std::vector<double>{1, 2}, {1, -1, 1, -1}, {2, 2, 2, 2}}) {
    EXPECT_FALSE(series_mean(few).has_value());
  }
  EXPECT_TRUE(series_mean(std::vector<double>{1, -1, 1, -1, 1}).has_value());
}

/// Of `trials` series of `steps` about 0, neighbours having `correlation`: how many intervals of
/// 0.9 that there are lie wholly below 0, as a share of all.
double wrong_below(int steps, double correlation, int trials) {
  Random random(12);
  const auto normal = [&random] {
    return std::sqrt(-2 * std::log(random.uniform())) *
           std::cos(2 * std::acos(-1.0) * random.uniform());
  };
  int wrong = 0;
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<double> series = {normal()};
    while (series.size() < static_cast<std::size_t>(steps)) {
      series.push_back(correlation * series.back() +
                       std::sqrt(1 - correlation * correlation) * normal());
    }
    const auto mean = series_mean(series);
    wrong += mean && t_interval(*mean, 0.9).high < 0 ? 1 : 0;
  }
  return wrong / static_cast<double>(trials);
}

TEST(SeriesMean, IsWrongAboutAsOftenAsItSays) {
  // What a wrong end costs an equivalence test at 5 %. Bounds: docs/statistics.md, and 4 deviations
  // of chance. Without the two corrections they are 7, 10 and 17 %.
  constexpr int kTrials = 4000;
  const double chance = 4 * std::sqrt(0.05 * 0.95 / kTrials);
  EXPECT_NEAR(wrong_below(20, 0.3, kTrials), 0.05, chance);
  EXPECT_LT(wrong_below(20, 0.6, kTrials), 0.055 + chance);
  EXPECT_LT(wrong_below(20, 0.9, kTrials), 0.07 + chance);
  EXPECT_LT(wrong_below(100, 0.9, kTrials), 0.05 + chance);
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
  }
  EXPECT_TRUE(paired_mean(std::vector<double>{1, 2}).has_value());
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
