#include "harness/calibrate/window.h"

#include <gtest/gtest.h>

#include "tests/harness/calibrate/noisy_runs.h"

namespace twinrun::harness {
namespace {

std::vector<std::string> names(const StatisticsSettings& settings, std::int64_t steps) {
  std::vector<std::string> list;
  for (const StepWindow& window : windows_of(settings, steps)) {
    list.push_back(window.name + " " + std::to_string(window.first) + "-" +
                   std::to_string(window.last));
  }
  return list;
}

TEST(WindowsTest, BeginAtTheStartAndBehindEachCheckpoint) {
  const StatisticsSettings defaults;
  EXPECT_EQ(names(defaults, 300), (std::vector<std::string>{"start 1-20", "restored-150 151-170",
                                                            "restored-270 271-290"}));
  // The last one ends with the run.
  EXPECT_EQ(names(defaults, 100),
            (std::vector<std::string>{"start 1-20", "restored-50 51-70", "restored-90 91-100"}));
}

TEST(WindowsTest, OfAShortRunAreThoseThatShowSomething) {
  const StatisticsSettings defaults;
  EXPECT_EQ(names(defaults, 10), (std::vector<std::string>{"start 1-10"}));
  EXPECT_EQ(names(defaults, 30), (std::vector<std::string>{"start 1-20", "restored-27 28-30"}));
  EXPECT_EQ(names(defaults, 1), (std::vector<std::string>{"start 1-1"}));
}

TEST(ReadWindowTest, HasTheStepsAndWhatNoRoundingMoves) {
  const test::TempFolder folder;
  const auto run = test::noisy_run("a");
  test::SyntheticRun(run).write(folder.path() / "a");
  const StepWindow window{"restored-3", 3, 4, 6};
  const WindowCurves curves = read_window(folder.path() / "a" / "steps.jsonl", window);
  ASSERT_EQ(curves.loss.size(), 3u);
  ASSERT_EQ(curves.discrete.size(), 4u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(curves.loss[i], run.record.steps[3 + i].loss);
    EXPECT_EQ(curves.grad_norm[i], run.record.steps[3 + i].grad_norm);
  }
  // Another run's loss is no part of it, its learning rate is.
  auto other = test::noisy_run("b");
  other.record.steps[4].lr *= 2;
  other.write(folder.path() / "b");
  const WindowCurves moved = read_window(folder.path() / "b" / "steps.jsonl", window);
  EXPECT_EQ(moved.discrete[0], curves.discrete[0]);
  EXPECT_EQ(moved.discrete[1], curves.discrete[1]);
  EXPECT_NE(moved.discrete[2], curves.discrete[2]);
  EXPECT_NE(moved.chain, curves.chain);
}

TEST(ReadWindowTest, ARecordThatEndsBeforeIsAnError) {
  const test::TempFolder folder;
  test::noisy_run("a").write(folder.path() / "a");
  EXPECT_THROW(read_window(folder.path() / "a" / "steps.jsonl", {"start", 0, 1, 9}),
               std::runtime_error);
}

}  // namespace
}  // namespace twinrun::harness
