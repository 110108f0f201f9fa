#include "harness/stats/binomial.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/harness/stats/proportions_reference.h"

namespace twinrun::harness {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(BinomialInterval, EqualsTheTailsOfScipyInverted) {
  ASSERT_FALSE(kBinomialCases.empty());
  for (const BinomialCase& known : kBinomialCases) {
    const Interval found = binomial_interval(known.successes, known.trials, known.confidence);
    EXPECT_NEAR(found.low, known.low, 1e-9 * known.low) << known.successes << " " << known.trials;
    EXPECT_NEAR(found.high, known.high, 1e-9 * known.high);
    EXPECT_NEAR(binomial_upper(known.successes, known.trials, known.confidence), known.upper,
                1e-9 * known.upper);
  }
}

TEST(BinomialInterval, HasThePublishedEnds) {
  // Newcombe, "Two-sided confidence intervals for the single proportion: comparison of seven
  // methods", Statistics in Medicine 17, 1998, table I, Clopper-Pearson.
  const struct {
    std::int64_t successes, trials;
    double low, high;
  } table[] = {{81, 263, 0.2527, 0.3676},
               {15, 148, 0.0578, 0.1617},
               {0, 20, 0, 0.1684},
               {1, 29, 0.0009, 0.1776}};
  for (const auto& known : table) {
    const Interval found = binomial_interval(known.successes, known.trials, 0.95);
    EXPECT_NEAR(found.low, known.low, 5.1e-5);
    EXPECT_NEAR(found.high, known.high, 5.1e-5);
  }
}

TEST(BinomialInterval, AtNoneAndAllAnEndIsExactAndTheOtherHasAClosedForm) {
  for (const std::int64_t n : {1, 59, 1000000}) {
    const double one = 1 / static_cast<double>(n);
    EXPECT_EQ(binomial_interval(0, n, 0.95).low, 0);
    EXPECT_EQ(binomial_interval(n, n, 0.95).high, 1);
    EXPECT_EQ(binomial_upper(n, n, 0.95), 1);
    // (1 - p)^n = 0.05
    EXPECT_NEAR(binomial_upper(0, n, 0.95), -std::expm1(std::log(0.05) * one), 1e-12 * one);
  }
}

TEST(BinomialInterval, MirrorsWithFailuresForSuccesses) {
  for (std::int64_t successes = 0; successes <= 20; ++successes) {
    const Interval found = binomial_interval(successes, 20, 0.9);
    const Interval mirrored = binomial_interval(20 - successes, 20, 0.9);
    EXPECT_NEAR(found.low, 1 - mirrored.high, 1e-14);
    EXPECT_NEAR(found.high, 1 - mirrored.low, 1e-14);
  }
}

TEST(BinomialInterval, CountsAndConfidencesThatAreNoneAreRefused) {
  const auto all_throw = [](std::int64_t successes, std::int64_t trials, double confidence) {
    EXPECT_THROW(binomial_interval(successes, trials, confidence), std::invalid_argument);
    EXPECT_THROW(binomial_upper(successes, trials, confidence), std::invalid_argument);
  };
  all_throw(0, 0, 0.9);
  all_throw(-1, 5, 0.9);
  all_throw(6, 5, 0.9);
  for (const double bad : {0.0, 1.0, 95.0, kNan}) all_throw(1, 5, bad);
}

}  // namespace
}  // namespace twinrun::harness
