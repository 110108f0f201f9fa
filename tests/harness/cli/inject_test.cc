#include "harness/cli/inject.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/exit_code.h"
#include "tests/temp_folder.h"

namespace twinrun::harness {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string usage_error(const std::string& text) {
  return test::message_of<UsageError>([&] { parse_run_injections({text}, {"a", "b"}, 10); });
}

TEST(RunInjections, HitTheirRunAndBothHitsEveryRunAndControl) {
  const auto injections =
      parse_run_injections({"a:lr@3", "both:nan@10", "b:seed@0"}, {"a", "b"}, 10);
  EXPECT_THAT(faults_of(injections, "a"), ElementsAre("lr@3", "nan@10"));
  EXPECT_THAT(faults_of(injections, "b"), ElementsAre("nan@10", "seed@0"));
  EXPECT_THAT(faults_of(injections, "seed-plus-one"), ElementsAre("nan@10"));
}

TEST(RunInjections, WhatCannotBePlantedIsAUsageError) {
  EXPECT_THAT(usage_error("lr@3"), HasSubstr("RUN:KIND@STEP"));
  EXPECT_THAT(usage_error("c:lr@3"), HasSubstr("no run 'c'; there are a and b"));
  EXPECT_THAT(usage_error("b:lrr@3"), HasSubstr("'lr'"));
  EXPECT_THAT(usage_error("b:lr@x"), HasSubstr("lr@3"));
  EXPECT_THAT(usage_error("b:lr@11"), HasSubstr("10 steps only"));
  EXPECT_EQ(usage_error("b:lr@10"), "");
}

}  // namespace
}  // namespace twinrun::harness
