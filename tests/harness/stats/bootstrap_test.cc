#include "harness/stats/bootstrap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "harness/stats/random.h"
#include "harness/stats/text_scores.h"
#include "tests/harness/stats/bootstrap_reference.h"

namespace twinrun::harness {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t kResamples = 999;

std::vector<double> negated(std::vector<double> values) {
  for (double& x : values) x = -x;
  return values;
}

ClusterStatistic weighted_mean(const std::vector<double>& values) {
  return [&values](std::span<const std::int64_t> counts) {
    double sum = 0, size = 0;
    for (std::size_t g = 0; g < counts.size(); ++g) {
      sum += static_cast<double>(counts[g]) * values[g];
      size += static_cast<double>(counts[g]);
    }
    return sum / size;
  };
}

TEST(BootstrapTInterval, EqualsDrawsMadeItemByItem) {
  ASSERT_FALSE(kBootstrapCases.empty());
  for (const BootstrapCase& known : kBootstrapCases) {
    const auto found = bootstrap_t_interval(known.differences, known.clusters, known.confidence,
                                            known.resamples, known.seed);
    ASSERT_TRUE(found.has_value());
    EXPECT_NEAR(found->estimate, known.estimate, 1e-12);
    EXPECT_NEAR(found->low, known.low, 1e-9);
    EXPECT_NEAR(found->high, known.high, 1e-9);
  }
}

TEST(BootstrapInterval, OfMacroF1EqualsDrawsMadeItemByItem) {
  ASSERT_FALSE(kMacroCases.empty());
  for (const MacroCase& known : kMacroCases) {
    const LabelIndices a = label_indices(known.a, known.references);
    const LabelIndices b = label_indices(known.b, known.references);
    const auto difference = [&](std::span<const std::int64_t> counts) {
      return macro_f1(b, counts) - macro_f1(a, counts);
    };
    const std::size_t n = known.references.size();
    const auto found =
        bootstrap_interval(n, difference, known.confidence, known.resamples, known.seed);
    ASSERT_TRUE(found.has_value());
    EXPECT_NEAR(found->estimate, known.estimate, 1e-12);
    EXPECT_NEAR(found->low, known.low, 1e-9);
    EXPECT_NEAR(found->high, known.high, 1e-9);
  }
}

TEST(BootstrapInterval, OfAMeanIsThatOfTheMean) {
  const std::vector<double>& values = kBootstrapCases[1].differences;
  const auto mean = bootstrap_t_interval(values, {}, 0.9, kResamples, 5);
  const auto any = bootstrap_interval(values.size(), weighted_mean(values), 0.9, kResamples, 5);
  ASSERT_TRUE(mean && any);
  EXPECT_NEAR(mean->low, any->low, 1e-9);
  EXPECT_NEAR(mean->high, any->high, 1e-9);
}

TEST(BootstrapTInterval, OneItemAClusterIsNoClusterAndNamesAreOnlyNames) {
  const std::vector<double>& values = kBootstrapCases[0].differences;
  std::vector<std::int64_t> names(values.size());
  std::iota(names.rbegin(), names.rend(), -3);
  EXPECT_EQ(bootstrap_t_interval(values, names, 0.9, kResamples, 5),
            bootstrap_t_interval(values, {}, 0.9, kResamples, 5));
}

TEST(BootstrapTInterval, ClustersOfEqualItemsCountOnce) {
  // Every item twice: without clusters the interval would be narrower by the root of 2.
  const std::vector<double>& values = kBootstrapCases[0].differences;
  std::vector<double> twice;
  std::vector<std::int64_t> clusters;
  for (std::size_t i = 0; i < values.size(); ++i) {
    twice.insert(twice.end(), 2, values[i]);
    clusters.insert(clusters.end(), 2, static_cast<std::int64_t>(i));
  }
  const auto once = bootstrap_t_interval(values, {}, 0.9, kResamples, 5);
  const auto clustered = bootstrap_t_interval(twice, clusters, 0.9, kResamples, 5);
  EXPECT_NEAR(clustered->low, once->low, 1e-12);
  EXPECT_NEAR(clustered->high, once->high, 1e-12);
}

TEST(BootstrapTInterval, SwappingTheTwoNegatesIt) {
  for (const BootstrapCase& known : kBootstrapCases) {
    const auto one =
        bootstrap_t_interval(known.differences, known.clusters, known.confidence, kResamples, 5);
    const auto other = bootstrap_t_interval(negated(known.differences), known.clusters,
                                            known.confidence, kResamples, 5);
    ASSERT_TRUE(one && other);
    EXPECT_EQ(one->low, -other->high);
    EXPECT_EQ(one->high, -other->low);
  }
}

TEST(BootstrapTInterval, TheSameSeedGivesTheSameAnotherAnother) {
  const std::vector<double>& values = kBootstrapCases[0].differences;
  const auto one = bootstrap_t_interval(values, {}, 0.9, kResamples, 5);
  EXPECT_EQ(one, bootstrap_t_interval(values, {}, 0.9, kResamples, 5));
  EXPECT_NE(one, bootstrap_t_interval(values, {}, 0.9, kResamples, 6));
}

TEST(BootstrapTInterval, IsNoOtherInAnotherUnit) {
  std::vector<double> small = kBootstrapCases[0].differences;
  for (double& x : small) x *= 0x1p-600;
  const auto one = bootstrap_t_interval(kBootstrapCases[0].differences, {}, 0.9, kResamples, 5);
  const auto scaled = bootstrap_t_interval(small, {}, 0.9, kResamples, 5);
  EXPECT_EQ(scaled->low, one->low * 0x1p-600);
  EXPECT_EQ(scaled->high, one->high * 0x1p-600);
}

TEST(BootstrapTInterval, WhereNothingVariesIsThePoint) {
  const std::vector<std::int64_t> pairs = {1, 1, 2, 2};
  for (const double value : {0.0, 0.1, -2.0}) {
    const std::vector<double> equal(4, value);
    for (const std::span<const std::int64_t> clusters :
         {std::span<const std::int64_t>(), {pairs}}) {
      EXPECT_EQ(bootstrap_t_interval(equal, clusters, 0.9, kResamples, 5),
                (Interval{value, value, value}));
    }
  }
  // Items differ, clusters do not.
  const std::vector<double> mixed = {0.1, 0.3, 0.3, 0.1};
  const auto found = bootstrap_t_interval(mixed, pairs, 0.9, kResamples, 5);
  EXPECT_EQ(found->low, found->high);
  const auto constant = [](std::span<const std::int64_t>) { return 0.25; };
  EXPECT_EQ(bootstrap_interval(10, constant, 0.9, kResamples, 5), (Interval{0.25, 0.25, 0.25}));
}

TEST(BootstrapTInterval, TooFewThatDifferGiveNone) {
  // A draw leaves all of k out with probability about exp(-k): 0.37 of one, 0.007 of five.
  std::vector<double> values(500, 0.0);
  values[3] = 1;
  EXPECT_FALSE(bootstrap_t_interval(values, {}, 0.9, kResamples, 5).has_value());
  EXPECT_FALSE(bootstrap_interval(500, weighted_mean(values), 0.9, kResamples, 5).has_value());
  std::fill(values.begin(), values.begin() + 5, 1.0);
  EXPECT_TRUE(bootstrap_t_interval(values, {}, 0.9, kResamples, 5).has_value());
}

TEST(BootstrapTInterval, FewerThanTwoClustersGiveNone) {
  EXPECT_FALSE(bootstrap_t_interval({}, {}, 0.9, kResamples, 5).has_value());
  EXPECT_FALSE(bootstrap_t_interval(std::vector<double>{1}, {}, 0.9, kResamples, 5).has_value());
  EXPECT_FALSE(bootstrap_t_interval(std::vector<double>{1, 2}, std::vector<std::int64_t>{7, 7}, 0.9,
                                    kResamples, 5)
                   .has_value());
  const auto never = [](std::span<const std::int64_t>) -> double {
    throw std::logic_error("called");
  };
  EXPECT_FALSE(bootstrap_interval(1, never, 0.9, kResamples, 5).has_value());
}

TEST(BootstrapTInterval, HoldsTheMeanOfNormalAndOfSkewedDifferencesAsOftenAsItSays) {
  constexpr int kItems = 40, kTrials = 1000;
  Random random(8);
  int normal = 0, skewed = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> bell, tail;
    for (int i = 0; i < kItems; ++i) {
      const double radius = std::sqrt(-2 * std::log(random.uniform()));
      bell.push_back(radius * std::cos(2 * std::acos(-1.0) * random.uniform()));
      tail.push_back(-std::log(random.uniform()) - 1);
    }
    const auto holds = [trial](const std::vector<double>& values) {
      const auto found =
          bootstrap_t_interval(values, {}, 0.9, 499, static_cast<std::uint64_t>(trial));
      return found && found->low <= 0 && 0 <= found->high ? 1 : 0;
    };
    normal += holds(bell);
    skewed += holds(tail);
  }
  // It is wrong by terms of the size of 1 / n (Hall, "The bootstrap and Edgeworth expansion",
  // section 3.5), and chance adds 5 deviations of the count.
  const double most = 1.0 / kItems + 5 * std::sqrt(0.9 * 0.1 / kTrials);
  EXPECT_NEAR(normal / double{kTrials}, 0.9, most);
  EXPECT_NEAR(skewed / double{kTrials}, 0.9, most);
}

/// Answers of a system that is right four times in five, and else says any of the labels or none.
std::int32_t answer_to(Random& random, std::int32_t label) {
  return random.uniform() < 0.8 ? label : static_cast<std::int32_t>(random.below(4)) - 1;
}

TEST(BootstrapInterval, HoldsNoDifferenceOfMacroF1AsOftenAsItSays) {
  constexpr std::size_t kItems = 300;
  constexpr int kTrials = 400;
  Random random(10);
  int held = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    LabelIndices a, b;
    a.labels = b.labels = 3;
    for (std::size_t i = 0; i < kItems; ++i) {
      const std::uint32_t u = random.below(10);
      const std::int32_t label = u < 6 ? 0 : u < 9 ? 1 : 2;
      a.references.push_back(label);
      a.answers.push_back(answer_to(random, label));
      b.answers.push_back(answer_to(random, label));
    }
    b.references = a.references;
    const auto difference = [&](std::span<const std::int64_t> counts) {
      return macro_f1(b, counts) - macro_f1(a, counts);
    };
    const auto found =
        bootstrap_interval(kItems, difference, 0.9, 499, static_cast<std::uint64_t>(trial));
    held += found && found->low <= 0 && 0 <= found->high ? 1 : 0;
  }
  // As above, the rarest label having a tenth of the items.
  const double most = 10.0 / kItems + 5 * std::sqrt(0.9 * 0.1 / kTrials);
  EXPECT_NEAR(held / double{kTrials}, 0.9, most);
}

TEST(BootstrapTInterval, WhatIsNoSampleIsRefused) {
  const std::vector<double> values = {1, 2, 3, 4};
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    EXPECT_THROW(bootstrap_t_interval(std::vector<double>{1, bad}, {}, 0.9, kResamples, 5),
                 std::invalid_argument);
    const auto broken = [bad](std::span<const std::int64_t> counts) {
      return counts[0] == 2 ? bad : static_cast<double>(counts[1]);
    };
    EXPECT_THROW(bootstrap_interval(5, broken, 0.9, kResamples, 5), std::invalid_argument);
  }
  EXPECT_THROW(bootstrap_t_interval(values, std::vector<std::int64_t>{1, 2}, 0.9, kResamples, 5),
               std::invalid_argument);
  EXPECT_THROW(bootstrap_t_interval(values, {}, 0.95, 38, 5), std::invalid_argument);
  EXPECT_NO_THROW(bootstrap_t_interval(values, {}, 0.95, 39, 5));
  for (const double bad : {0.0, 1.0, 95.0, kNan}) {
    EXPECT_THROW(bootstrap_t_interval(values, {}, bad, kResamples, 5), std::invalid_argument);
  }
}

}  // namespace
}  // namespace twinrun::harness
