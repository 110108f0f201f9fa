#include "harness/stats/randomisation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "harness/stats/random.h"
#include "harness/stats/tango.h"
#include "harness/stats/text_scores.h"
#include "tests/harness/stats/randomisation_reference.h"

namespace twinrun::harness {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t kDraws = 999;

/// `exact` within 5 deviations of the count of draws.
void expect_near_exact(double p, double exact, std::int64_t draws) {
  const auto number = static_cast<double>(draws);
  EXPECT_NEAR(p, exact, 1 / number + 5 * std::sqrt(exact * (1 - exact) / number));
}

TEST(SignFlipP, EqualsSumsOfFractionsAndIsNearAllArrangements) {
  ASSERT_FALSE(kSignFlipCases.empty());
  int exact = 0;
  for (const SignFlipCase& known : kSignFlipCases) {
    const double p = sign_flip_p(known.differences, known.clusters, known.draws, known.seed);
    EXPECT_DOUBLE_EQ(p, known.p);
    if (known.exact == 0) continue;
    ++exact;
    expect_near_exact(p, known.exact, known.draws);
  }
  EXPECT_GT(exact, 2);
}

TEST(SwapP, OfMacroF1EqualsAnswersExchangedForReal) {
  ASSERT_FALSE(kSwapCases.empty());
  for (const SwapCase& known : kSwapCases) {
    const LabelIndices a = label_indices(known.a, known.references);
    const LabelIndices b = label_indices(known.b, known.references);
    std::vector<std::size_t> differ;
    for (std::size_t i = 0; i < a.answers.size(); ++i) {
      if (a.answers[i] != b.answers[i]) differ.push_back(i);
    }
    const std::vector<std::int64_t> once(a.answers.size(), 1);
    const auto difference = [&](std::span<const std::uint8_t> swapped) {
      LabelIndices first = a, second = b;
      for (std::size_t g = 0; g < differ.size(); ++g) {
        if (swapped[g] == 1) std::swap(first.answers[differ[g]], second.answers[differ[g]]);
      }
      return macro_f1(second, once) - macro_f1(first, once);
    };
    const double p = swap_p(differ.size(), difference, known.draws, known.seed);
    EXPECT_DOUBLE_EQ(p, known.p);
    expect_near_exact(p, known.exact, known.draws);
  }
}

TEST(SignFlipP, OfRightAndWrongAnswersIsMcnemars) {
  // 9 items one way, 2 the other: both count the heads of 11 coins.
  std::vector<double> differences(500, 0.0);
  std::fill_n(differences.begin(), 9, 1.0);
  std::fill_n(differences.begin() + 9, 2, -1.0);
  expect_near_exact(sign_flip_p(differences, {}, 10'000, 1), mcnemar_p(2, 9), 10'000);
}

TEST(SignFlipP, ItemsThatDoNotDifferChangeNothing) {
  const std::vector<double>& values = kSignFlipCases[0].differences;
  std::vector<double> more(300, 0.0);
  more.insert(more.end(), values.begin(), values.end());
  EXPECT_EQ(sign_flip_p(more, {}, kDraws, 5), sign_flip_p(values, {}, kDraws, 5));
  EXPECT_EQ(sign_flip_p(std::vector<double>(300, 0.0), {}, kDraws, 5), 1);
  EXPECT_EQ(sign_flip_p({}, {}, kDraws, 5), 1);
  // Items of a cluster that cancel are none that differs.
  EXPECT_EQ(sign_flip_p(std::vector<double>{1, -1, 2, -2}, std::vector<std::int64_t>{1, 1, 7, 7},
                        kDraws, 5),
            1);
}

TEST(SignFlipP, OneClusterProvesNothingAndFewProveLittle) {
  EXPECT_EQ(sign_flip_p(std::vector<double>{0.7}, {}, kDraws, 5), 1);
  const std::vector<double> ten(10, 0.7);
  EXPECT_EQ(sign_flip_p(ten, std::vector<std::int64_t>(10, 3), kDraws, 5), 1);
  // All four one way: 2 of 16.
  expect_near_exact(sign_flip_p(std::vector<double>(4, 0.7), {}, kDraws, 5), 0.125, kDraws);
}

TEST(SignFlipP, IsTheSameForTheSystemsExchangedAndInAnotherUnit) {
  for (const SignFlipCase& known : kSignFlipCases) {
    std::vector<double> negated = known.differences, small = known.differences;
    for (double& x : negated) x = -x;
    for (double& x : small) x *= 0x1p-600;
    const double p = sign_flip_p(known.differences, known.clusters, kDraws, 5);
    EXPECT_EQ(sign_flip_p(negated, known.clusters, kDraws, 5), p);
    EXPECT_EQ(sign_flip_p(small, known.clusters, kDraws, 5), p);
  }
}

TEST(SignFlipP, TheSameSeedGivesTheSameAnotherAnother) {
  const std::vector<double>& values = kSignFlipCases[2].differences;
  EXPECT_EQ(sign_flip_p(values, {}, 99'999, 5), sign_flip_p(values, {}, 99'999, 5));
  EXPECT_NE(sign_flip_p(values, {}, 99'999, 5), sign_flip_p(values, {}, 99'999, 6));
}

TEST(SignFlipP, IsNeverZero) {
  EXPECT_EQ(sign_flip_p(std::vector<double>(64, 1.0), {}, kDraws, 5), 1.0 / (kDraws + 1));
}

TEST(SignFlipP, IsAtMostAlphaNoOftenerThanAlphaWhereFewDiffer) {
  // What the draws of a bootstrap call a difference in 11 % of such samples.
  constexpr int kTrials = 2000;
  Random random(7);
  int found = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> differences;
    for (int i = 0; i < 500; ++i) {
      const bool changes = random.uniform() < 0.01;
      const double size = random.uniform() < 0.5 ? 1 : random.uniform();
      differences.push_back(!changes ? 0 : random.uniform() < 0.5 ? size : -size);
    }
    found += sign_flip_p(differences, {}, 199, static_cast<std::uint64_t>(trial)) <= 0.05 ? 1 : 0;
  }
  EXPECT_LE(found, kTrials * 0.05 + 4 * std::sqrt(kTrials * 0.05 * 0.95));
  EXPECT_GT(found, 0);
}

TEST(SwapP, IsFirstAskedForTheDataAndThenForEachDraw) {
  int calls = 0;
  const auto statistic = [&calls](std::span<const std::uint8_t> swapped) {
    EXPECT_EQ(swapped.size(), 70u);
    const auto ones = std::accumulate(swapped.begin(), swapped.end(), 0);
    if (calls++ == 0) {
      EXPECT_EQ(ones, 0);
    }
    return 1.0 - ones;
  };
  // Nothing swapped is 1, about half of 70 far more.
  EXPECT_EQ(swap_p(70, statistic, 99, 5), 1);
  EXPECT_EQ(calls, 100);
}

TEST(SwapP, CountsWhatDiffersByRoundingAloneAsATie) {
  const auto noisy = [](std::span<const std::uint8_t> swapped) {
    return 0.3 * (1 - (swapped[0] + swapped[1]) * 0x1p-50);
  };
  EXPECT_EQ(swap_p(2, noisy, kDraws, 5), 1);
  const auto clear = [](std::span<const std::uint8_t> swapped) {
    return 0.3 * (1 - (swapped[0] + swapped[1]) * 1e-6);
  };
  expect_near_exact(swap_p(2, clear, kDraws, 5), 0.25, kDraws);
}

TEST(SignFlipP, WhatIsNoSampleIsRefused) {
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    EXPECT_THROW(sign_flip_p(std::vector<double>{1, bad}, {}, kDraws, 5), std::invalid_argument);
    const auto broken = [bad](std::span<const std::uint8_t> swapped) {
      return swapped[0] == 1 ? bad : 1;
    };
    EXPECT_THROW(swap_p(3, broken, kDraws, 5), std::invalid_argument);
  }
  EXPECT_THROW(sign_flip_p(std::vector<double>{1, 2}, std::vector<std::int64_t>{1}, kDraws, 5),
               std::invalid_argument);
  EXPECT_THROW(sign_flip_p(std::vector<double>{1, 2}, {}, 0, 5), std::invalid_argument);
}

}  // namespace
}  // namespace twinrun::harness
