#include "trainer/bench/step_marks.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace twinrun::trainer {
namespace {

TEST(StepMarks, TellTheTimeBetweenEachAndTheNext) {
  StepMarks marks(c10::kCPU);
  EXPECT_TRUE(marks.intervals_ns().empty());
  marks.mark();
  EXPECT_TRUE(marks.intervals_ns().empty());
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  marks.mark();
  marks.mark();
  const auto intervals = marks.intervals_ns();
  ASSERT_EQ(intervals.size(), 2u);
  EXPECT_GE(intervals[0], 5'000'000);
  EXPECT_GE(intervals[1], 0);
  EXPECT_LT(intervals[1], intervals[0]);
}

TEST(Median, IsTheMiddleOneAndOfAnEvenNumberTheLower) {
  EXPECT_EQ(median({7}), 7);
  EXPECT_EQ(median({9, 1, 5}), 5);
  EXPECT_EQ(median({4, 1, 3, 2}), 2);
}

}  // namespace
}  // namespace twinrun::trainer
