#include "harness/cli/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/report/judged_folder.h"

namespace twinrun::harness {
namespace {

using testing::HasSubstr;

/// A run that left nothing.
JudgedRun missing_run(const std::string& name) {
  JudgedRun run;
  run.name = name;
  run.view = read_run("/nonexistent/" + name);
  return run;
}

const Check& check_of(const VerdictReport& report, const std::string& name) {
  for (const Check& check : report.checks) {
    if (check.name == name) return check;
  }
  throw std::logic_error("no check " + name);
}

TEST(Judge, RunsThatLeftNothingAreInvalidAndNoControlRuns) {
  JudgeInput input;
  input.runs = {missing_run("a"), missing_run("b")};
  const VerdictReport report = judge(input);
  EXPECT_EQ(report.verdict, Verdict::kInvalid);
  EXPECT_EQ(check_of(report, "controls").verdict, Verdict::kNotRun);
  EXPECT_EQ(check_of(report, "controls").reason, "run_failed");
  ASSERT_EQ(report.controls.size(), 4u);
  for (const ControlOutcome& control : report.controls) EXPECT_FALSE(control.ran) << control.name;
  EXPECT_TRUE(report.key.is_null());
}

TEST(Judge, NoRunAtAllIsNotIntactAndNothingIsReproduced) {
  EXPECT_FALSE(all_intact({}));
  JudgeInput input;
  const VerdictReport none = judge(input);
  EXPECT_EQ(check_of(none, "twin").verdict, Verdict::kInvalid);
  EXPECT_EQ(check_of(none, "twin").reason, "too_few_runs");
  EXPECT_EQ(check_of(none, "controls").reason, "run_failed");
}

TEST(Judge, OneGoodRunIsNoTwin) {
  test::JudgedFolder out;
  out.write();
  JudgeInput input;
  input.runs = {{"a", read_run(out.path("a")), {}, ""}};
  const VerdictReport one = judge(input);
  EXPECT_EQ(check_of(one, "twin").verdict, Verdict::kInvalid);
  EXPECT_EQ(check_of(one, "twin").reason, "too_few_runs");
  EXPECT_NE(one.verdict, Verdict::kReproduced);
}

TEST(Judge, ASeedControlThatCouldShowNothingIsNeitherGreenNorRed) {
  test::JudgedFolder out;
  for (test::SyntheticRun* run : {&out.a, &out.b, &out.control}) {
    run->config.identity["lora"] = {{"dropout", 0.0}, {"init", {{"adapter_config.json", "aa"}}}};
    run->manifest["data"] = {{"samples", 1}};
  }
  out.control.record.zero = out.a.record.zero;
  out.control.record.steps = out.a.record.steps;
  const nlohmann::json verdict = out.write();
  EXPECT_EQ(verdict.at("verdict"), "INCONCLUSIVE");
  EXPECT_EQ(verdict.at("checks").at(1).at("reason"), "controls_not_run");
  EXPECT_THAT(verdict.at("checks").at(1).at("message").get<std::string>(),
              HasSubstr("seed-plus-one did not run: it could show nothing: lora.init"));
}

TEST(Judge, ComparesEveryPair) {
  JudgeInput input;
  input.runs = {missing_run("a"), missing_run("b"), missing_run("c")};
  const VerdictReport report = judge(input);
  ASSERT_EQ(report.comparisons.size(), 3u);
  EXPECT_EQ(report.comparisons[2].a + report.comparisons[2].b, "bc");
}

TEST(Judge, ChecksThatVerifyDoesNotMakeAreShownAsNotRun) {
  JudgeInput input;
  input.runs = {missing_run("a"), missing_run("b")};
  const VerdictReport report = judge(input);
  EXPECT_EQ(check_of(report, "bench").verdict, Verdict::kNotRun);
  EXPECT_EQ(check_of(report, "bench").reason, "not_asked");
}

TEST(Judge, OutputsOfRunsThatAreNotIntactAreNotJudged) {
  JudgeInput input;
  input.runs = {missing_run("a"), missing_run("b")};
  EXPECT_EQ(check_of(judge(input), "inference").reason, "not_asked");
  input.inference = InferenceInput{};
  const VerdictReport report = judge(input);
  EXPECT_EQ(check_of(report, "inference").verdict, Verdict::kNotRun);
  EXPECT_EQ(check_of(report, "inference").reason, "run_failed");
  EXPECT_FALSE(report.inference.judged);
}

TEST(Judge, ABaselineNobodyAskedForIsNotRun) {
  JudgeInput input;
  input.runs = {missing_run("a"), missing_run("b")};
  EXPECT_EQ(check_of(judge(input), "baseline").reason, "not_asked");
  input.baseline = BaselineRequest{"/nonexistent/curves", true};
  EXPECT_EQ(check_of(judge(input), "baseline").reason, "run_failed");
}

TEST(RandomSeed, FitsIntoJsonAndChanges) {
  const std::uint64_t x = random_seed(), y = random_seed();
  EXPECT_NE(x, y);
  EXPECT_LT(x, std::uint64_t{1} << 53);
}

}  // namespace
}  // namespace twinrun::harness
