#include "harness/stats/conformal.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace twinrun::harness {
namespace {

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

}  // namespace
}  // namespace twinrun::harness
