#include "harness/report/verdict_json.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/harness/report/sample_report.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

TEST(VerdictJson, HoldsAllThatIsPrinted) {
  const json verdict = to_json(diverged_report());
  EXPECT_EQ(verdict.at("schema"), 1);
  EXPECT_EQ(verdict.at("verdict"), "NOT_REPRODUCED");
  EXPECT_EQ(verdict.at("exit_code"), 1);
  EXPECT_EQ(verdict.at("case").at("name"), "smollm2-chat");
  EXPECT_EQ(verdict.at("comparisons_made"), 118);
  EXPECT_EQ(verdict.at("controls_seed"), 77);
  EXPECT_EQ(verdict.at("without_controls"), false);
  EXPECT_EQ(verdict.at("runs").at(1).at("dir"), "b");
  EXPECT_EQ(verdict.at("control_runs").at(0).at("name"), "seed-plus-one");
  const json& first = verdict.at("comparisons").at(0).at("first");
  EXPECT_EQ(first.at("step"), 5);
  EXPECT_EQ(first.at("field"), "loss");
  EXPECT_EQ(first.at("bits_b"), "40a8a3eb");
  EXPECT_EQ(first.at("ulps"), 1);
  EXPECT_EQ(verdict.at("comparisons").at(0).at("suspects").at(0).at("b"), "EPYC");
  EXPECT_EQ(verdict.at("judgement").at("digest").get<std::string>().size(), 64u);
  EXPECT_FALSE(verdict.at("twinrun").at("version").get<std::string>().empty());
}

TEST(VerdictJson, NoDivergenceIsNull) {
  EXPECT_TRUE(to_json(reproduced_report()).at("comparisons").at(0).at("first").is_null());
}

TEST(VerdictJson, ACheckThatDidNotRunIsShown) {
  const json checks = to_json(reproduced_report()).at("checks");
  EXPECT_EQ(checks.at(2).at("name"), "baseline");
  EXPECT_EQ(checks.at(2).at("verdict"), "NOT_RUN");
  EXPECT_EQ(checks.at(2).at("reason"), "not_asked");
}

TEST(VerdictJson, HoldsTheBaselineOrNull) {
  EXPECT_TRUE(to_json(reproduced_report()).at("baseline").is_null());
  const json baseline = to_json(drifted_report()).at("baseline");
  EXPECT_EQ(baseline.at("curve"), "../curves/0123456789abcdef.jsonl");
  EXPECT_EQ(baseline.at("fingerprint"), "0123456789abcdef");
  EXPECT_EQ(baseline.at("sha256"), std::string(64, 'd'));
  EXPECT_EQ(baseline.at("head"), std::string(64, 'e'));
  EXPECT_EQ(baseline.at("curve_steps"), 10);
  EXPECT_EQ(baseline.at("steps_compared"), 4);
  EXPECT_EQ(baseline.at("comparisons"), 53);
  EXPECT_EQ(baseline.at("first").at("step"), 4);
  EXPECT_EQ(baseline.at("suspects").at(0).at("field"), "/driver");
  EXPECT_EQ(baseline.at("nearest"), json::array());
}

TEST(VerdictJson, TextIsJsonWhateverTheTrainerWrote) {
  VerdictReport report = diverged_report();
  report.runs[0].stderr_tail = "\xff\xfe broken \n::error::x";
  report.comparisons[0].comparison.first->value_a = std::numeric_limits<double>::quiet_NaN();
  const std::string text = json_text(to_json(report));
  EXPECT_EQ(text.back(), '\n');
  EXPECT_EQ(text.find("\n::"), std::string::npos);
  const json parsed = json::parse(text);
  EXPECT_TRUE(parsed.at("comparisons").at(0).at("first").at("value_a").is_null());
}

}  // namespace
}  // namespace twinrun::harness
