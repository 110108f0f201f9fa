#include "trainer/infer/top_tokens.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace twinrun::trainer {
namespace {

std::vector<std::int64_t> ids_of(const std::vector<protocol::TokenLogprob>& top) {
  std::vector<std::int64_t> ids;
  for (const auto& token : top) ids.push_back(token.id);
  return ids;
}

TEST(TopTokens, FallAndOfEqualsTheSmallerIdComesFirst) {
  const std::vector<float> values{-3, -1, -2, -1, -2, -1};
  EXPECT_EQ(ids_of(top_tokens(values, 4)), (std::vector<std::int64_t>{1, 3, 5, 2}));
  EXPECT_EQ(ids_of(top_tokens(values, 2)), (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(ids_of(top_tokens(values, 6)), (std::vector<std::int64_t>{1, 3, 5, 2, 4, 0}));
  EXPECT_EQ(top_tokens(values, 1).front().logprob, -1.0F);
}

TEST(TopTokens, OfTwoZerosNeitherIsGreater) {
  const std::vector<float> values{-0.0F, 0.0F, -1};
  EXPECT_EQ(ids_of(top_tokens(values, 2)), (std::vector<std::int64_t>{0, 1}));
  EXPECT_TRUE(std::signbit(top_tokens(values, 1).front().logprob));
}

TEST(TopTokens, IsTheHeadOfAStableSort) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    // Few values, so that most are equal to another.
    std::vector<float> values(1 + random() % 300);
    for (auto& value : values) value = -static_cast<float>(random() % 17);
    std::vector<std::int64_t> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](auto a, auto b) {
      return values[static_cast<std::size_t>(a)] > values[static_cast<std::size_t>(b)];
    });
    const auto count = 1 + random() % values.size();
    order.resize(count);
    EXPECT_EQ(ids_of(top_tokens(values, static_cast<std::int64_t>(count))), order);
  }
}

TEST(AllFinite, FindsOneAmongMany) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  std::vector<float> values(1000, std::numeric_limits<float>::max());
  values[3] = -0.0F;
  values[4] = std::numeric_limits<float>::denorm_min();
  EXPECT_TRUE(all_finite(values));
  EXPECT_TRUE(all_finite({}));
  for (const float bad : {kInf, -kInf, std::nanf("")}) {
    for (const std::size_t at : {0, 517, 999}) {
      auto damaged = values;
      damaged[at] = bad;
      EXPECT_FALSE(all_finite(damaged)) << bad << " at " << at;
    }
  }
}

}  // namespace
}  // namespace twinrun::trainer
