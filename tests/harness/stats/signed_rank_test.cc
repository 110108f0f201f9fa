#include "harness/stats/signed_rank.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>

#include "tests/harness/stats/signed_rank_reference.h"

namespace twinrun::harness {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(WalshAverages, AreAllPairsAndEachWithItselfSorted) {
  EXPECT_EQ(walsh_averages(std::vector<double>{4, 0, 1}),
            (std::vector<double>{0, 0.5, 1, 2, 2.5, 4}));
  EXPECT_TRUE(walsh_averages({}).empty());
}

TEST(WalshAverages, AValueThatIsNotFiniteIsRefusedNotSorted) {
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    const std::vector<double> values = {1, bad, 2, 3, 4, 5, 6, 7};
    EXPECT_THROW(walsh_averages(values), std::invalid_argument);
    EXPECT_THROW(signed_rank_interval(values, 0.95), std::invalid_argument);
  }
}

double centre(const std::vector<double>& values) {
  return signed_rank_interval(values, 0.5).value().estimate;
}

TEST(HodgesLehmann, OneWildValueMovesItLittle) {
  // The median of 15 averages, five of which hold the wild value: between 1 and 4.
  EXPECT_GE(centre({1, 2, 3, 4, 1e9}), 1);
  EXPECT_LE(centre({1, 2, 3, 4, 1e9}), 4);
}

TEST(HodgesLehmann, ChangesItsSignWithTheValues) {
  EXPECT_EQ(centre({0.25, -1, 3.5, 2}), -centre({-0.25, 1, -3.5, -2}));
}

TEST(SignedRankCdf, EqualsWhatCountingGives) {
  for (const auto& known : kSignedRankProbabilities) {
    const double found = signed_rank_cdf(static_cast<std::size_t>(known.n), known.t);
    EXPECT_LE(std::abs(found - known.probability), 1e-12) << known.n << " " << known.t;
  }
}

TEST(SignedRankCdf, HasTheCriticalValuesOfTheTables) {
  // Largest T whose two-sided p is at most 0.05, as statistics books print it.
  const std::map<std::size_t, long long> table = {{6, 0},   {7, 2},   {8, 3},   {9, 5},   {10, 8},
                                                  {11, 10}, {12, 13}, {13, 17}, {14, 21}, {15, 25},
                                                  {16, 29}, {17, 34}, {18, 40}, {19, 46}, {20, 52},
                                                  {21, 58}, {22, 65}, {23, 73}, {24, 81}, {25, 89}};
  for (const auto& [n, t] : table) {
    EXPECT_LE(2 * signed_rank_cdf(n, t), 0.05) << n;
    EXPECT_GT(2 * signed_rank_cdf(n, t + 1), 0.05) << n;
  }
}

TEST(SignedRankCdf, OfManyValuesIsNearTheNormalOne) {
  for (const std::size_t n : {100u, 300u}) {
    const double m = static_cast<double>(n);
    const double mean = m * (m + 1) / 4, deviation = std::sqrt(m * (m + 1) * (2 * m + 1) / 24);
    const auto t = static_cast<long long>(mean - 1.96 * deviation);
    const double off = (static_cast<double>(t) + 0.5 - mean) / deviation;
    // Edgeworth's next term: the fourth cumulant is -6/5 (1/n) of the square of the variance, at
    // 1.96 that is 2e-4 for 100.
    EXPECT_LE(std::abs(signed_rank_cdf(n, t) - 0.5 * std::erfc(-off / std::sqrt(2.0))), 5e-4) << n;
  }
}

TEST(SignedRankCdf, RunsFromNothingToAll) {
  EXPECT_EQ(signed_rank_cdf(8, -1), 0);
  EXPECT_EQ(signed_rank_cdf(8, 36), 1);
  EXPECT_EQ(signed_rank_cdf(8, 1000), 1);
}

TEST(SignedRankInterval, EqualsTheCentresThatTheTestDoesNotReject) {
  ASSERT_FALSE(kSignedRankSamples.empty());
  for (const auto& sample : kSignedRankSamples) {
    const auto found = signed_rank_interval(sample.values, sample.confidence);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->estimate, sample.estimate);
    EXPECT_EQ(found->low, sample.low);
    EXPECT_EQ(found->high, sample.high);
    EXPECT_GE(found->confidence, sample.confidence);
  }
}

TEST(SignedRankInterval, FiveValuesGiveNoneOf95PercentSixDo) {
  const std::vector<double> values = {1, 2, 3, 4, 5, 6};
  EXPECT_FALSE(signed_rank_interval(std::span(values).first(5), 0.95).has_value());
  EXPECT_FALSE(signed_rank_interval({}, 0.95).has_value());
  const auto interval = signed_rank_interval(values, 0.95);
  ASSERT_TRUE(interval.has_value());
  EXPECT_EQ(interval->low, 1);
  EXPECT_EQ(interval->high, 6);
  EXPECT_EQ(interval->confidence, 1 - 2.0 / 64);
}

TEST(SignedRankInterval, EqualValuesGiveAPoint) {
  const auto interval = signed_rank_interval(std::vector<double>(12, 0.5), 0.95);
  ASSERT_TRUE(interval.has_value());
  EXPECT_EQ(interval->low, 0.5);
  EXPECT_EQ(interval->high, 0.5);
}

TEST(SignedRankInterval, AConfidenceThatIsNoneIsRefused) {
  const std::vector<double> values(12, 1.0);
  for (const double bad : {0.0, 1.0, -0.5, 95.0, kNan}) {
    EXPECT_THROW(signed_rank_interval(values, bad), std::invalid_argument) << bad;
  }
}

}  // namespace
}  // namespace twinrun::harness
