#include "harness/bench/plan.h"

#include <gtest/gtest.h>

#include <set>

namespace twinrun::harness {
namespace {

using Kind = ComparisonSpec::Kind;

TEST(PlanComparisons, EveryReportHasBothControls) {
  const auto plan = plan_comparisons({});
  ASSERT_EQ(plan.size(), 3u);
  EXPECT_EQ(plan[0].name, "deterministic / fast");
  EXPECT_EQ(plan[0].kind, Kind::kCandidate);
  EXPECT_EQ(plan[1].kind, Kind::kSameAgain);
  EXPECT_EQ(plan[1].arm.numerics, plan[1].reference.numerics);
  EXPECT_EQ(plan[1].arm.delay, 0);
  EXPECT_EQ(plan[2].kind, Kind::kDelay);
  EXPECT_EQ(plan[2].arm.delay, 0.03);
  for (const auto& comparison : plan) EXPECT_EQ(comparison.reference.numerics, "fast");
}

TEST(PlanComparisons, EachSwitchIsAloneOnAndAloneOff) {
  BenchSettings settings;
  settings.switches = {"a", "b"};
  const auto plan = plan_comparisons(settings);
  ASSERT_EQ(plan.size(), 3u + 4u);
  EXPECT_EQ(plan[3].name, "fast + a");
  EXPECT_EQ(plan[3].arm.numerics, "fast");
  EXPECT_EQ(plan[3].arm.switches, (std::map<std::string, bool>{{"a", true}}));
  EXPECT_EQ(plan[6].name, "deterministic - b");
  EXPECT_EQ(plan[6].reference.numerics, "deterministic");
  EXPECT_EQ(plan[6].arm.switches, (std::map<std::string, bool>{{"b", false}}));
  EXPECT_TRUE(plan[6].attribution());
}

TEST(PlanComparisons, NamesOfArmsAreFileNames) {
  BenchSettings settings;
  settings.switches = {"../x y"};
  EXPECT_EQ(plan_comparisons(settings)[3].arm.name, "on----x-y");
}

TEST(BlockOrder, ComesFromTheSeedAndIsEitherOfTwoAboutAsOften) {
  int first = 0;
  constexpr int kBlocks = 1000;
  for (int i = 0; i < kBlocks; ++i) {
    const std::string order = block_order(7, "deterministic / fast", i);
    EXPECT_TRUE(order == "ABBA" || order == "BAAB") << order;
    EXPECT_EQ(order, block_order(7, "deterministic / fast", i));
    first += order == "ABBA" ? 1 : 0;
  }
  // Five standard deviations of a fair coin: 79.
  EXPECT_NEAR(first, kBlocks / 2, 79);
}

TEST(BlockOrder, AnotherSeedOrComparisonGivesAnotherSequence) {
  const auto sequence = [](std::uint64_t seed, const std::string& name) {
    std::string orders;
    for (int i = 0; i < 32; ++i) orders += block_order(seed, name, i);
    return orders;
  };
  const std::set<std::string> sequences = {sequence(1, "x"), sequence(2, "x"), sequence(1, "y")};
  EXPECT_EQ(sequences.size(), 3u);
}

TEST(BenchSettings, EveryValueIsInTheJudgement) {
  BenchSettings changed;
  changed.budget = 2;
  EXPECT_NE(changed.to_json(), BenchSettings{}.to_json());
  EXPECT_EQ(BenchSettings{}.to_json().size(), 15u);
}

}  // namespace
}  // namespace twinrun::harness
