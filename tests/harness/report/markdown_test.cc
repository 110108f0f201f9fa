#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "harness/report/describe.h"
#include "tests/harness/report/evaluated_report.h"
#include "tests/harness/report/hostile.h"
#include "tests/harness/report/judged_folder.h"
#include "tests/harness/report/rendered.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using test::JudgedFolder;
using testing::HasSubstr;
using testing::Not;

std::string markdown_of(const JudgedFolder& out) {
  return to_markdown(describe(out.verdict(), out.evidence(), ""));
}

std::string markdown_of(const json& value) {
  return test::rendered(value, [](const VerdictFile& verdict, const Evidence& evidence) {
    return to_markdown(describe(verdict, evidence, ""));
  });
}

TEST(Markdown, SaysTheVerdictFirst) {
  JudgedFolder out;
  out.write();
  const std::string text = markdown_of(out);
  EXPECT_THAT(text,
              testing::StartsWith("## \xe2\x9c\x85 REPRODUCED: toy\n\nruns a and b are equal"));
  EXPECT_THAT(text, HasSubstr("no bit of any loss differs"));
  EXPECT_THAT(text, HasSubstr("NOT SIGNED"));
  EXPECT_THAT(text, HasSubstr("twinrun compare a b\n"));
  EXPECT_THAT(text, HasSubstr(out.verdict().sha256));
}

TEST(Markdown, NamesTheFirstDivergenceWithItsTensors) {
  const std::string text = markdown_of(to_json(diverged_report()));
  EXPECT_THAT(text, HasSubstr("### First divergence"));
  EXPECT_THAT(text, HasSubstr("`40a8a3ea  (5.27000904)`"));
  EXPECT_THAT(text, HasSubstr("`base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`"));
  EXPECT_THAT(text, HasSubstr("420 of 840 differ"));
  EXPECT_THAT(text, HasSubstr("/cpu/model"));
}

TEST(Markdown, ShowsTheLossesAroundTheFirstDifference) {
  JudgedFolder out;
  out.b.record.steps[4].loss = std::nextafter(out.b.record.steps[4].loss, 9.0f);
  out.write();
  const std::string text = markdown_of(out);
  EXPECT_THAT(text, HasSubstr("the loss differs in 1, first in step 5, by 1 unit in the last"));
  EXPECT_THAT(text, HasSubstr("| 4 | 1 | 1 | same bits |\n| 5 | 0.833333313 | 0.833333373 | 1 |\n"
                              "| 6 |"));
}

TEST(Markdown, ARecordThatIsMissingOrBrokenIsSaidAndNotDrawn) {
  JudgedFolder out;
  out.write();
  std::filesystem::remove_all(out.path("b"));
  const std::string missing = markdown_of(out);
  EXPECT_THAT(missing, HasSubstr("Not drawn. run b: no record lies in 'b'."));
  EXPECT_THAT(missing, HasSubstr("The record of run b was not looked at"));
  EXPECT_THAT(missing, Not(HasSubstr("no bit of any loss differs")));
  test::SyntheticRun(9, "run-b").write(out.path("b"));
  const std::string broken = markdown_of(out);
  EXPECT_THAT(broken, HasSubstr("> **The evidence beside this verdict does not hold.** run b"));
  EXPECT_THAT(broken, Not(HasSubstr("no bit of any loss differs")));
}

TEST(Markdown, ChecksThatDidNotRunAreShown) {
  const std::string text = markdown_of(to_json(reproduced_report()));
  EXPECT_THAT(text, HasSubstr("- Check baseline did not run: not asked for."));
}

TEST(Markdown, HostileTextStaysWithinItsCell) {
  for (const VerdictReport& report : {reproduced_report(), diverged_report(), drifted_report(),
                                      answered_otherwise("answer", "x", "y")}) {
    const std::string text = markdown_of(test::made_hostile(to_json(report)));
    for (const std::string& line : test::lines_of(text)) {
      const bool ours = line.empty() || line.starts_with("## ") || line.starts_with("### ") ||
                        line.starts_with("| ") || line.starts_with("|-") ||
                        line.starts_with("- ") || line.starts_with("> **") ||
                        line.starts_with("    ") || line.starts_with("`") ||
                        (line[0] >= 'A' && line[0] <= 'Z');
      EXPECT_TRUE(ours) << line;
      EXPECT_FALSE(line.starts_with("::")) << line;
    }
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
    EXPECT_THAT(text, Not(HasSubstr("\xe2\x80\xae")));
    EXPECT_THAT(text, Not(HasSubstr("\n# head")));
  }
}

TEST(Markdown, StaysBelowTheLimitOfAJobSummary) {
  json value = to_json(diverged_report());
  const std::string longest(2'000'000, '<');
  value["case"]["name"] = longest;
  for (json& check : value["checks"]) check["message"] = longest;
  const json runs = value["runs"];
  for (int i = 0; i < 5'000; ++i) value["runs"].push_back(runs[0]);
  EXPECT_LT(markdown_of(value).size(), 900'001u);
  EXPECT_THAT(markdown_of(value), HasSubstr("*Cut here; verdict.json has the rest.*"));
}

TEST(Markdown, SameBytesForTheSameVerdict) {
  JudgedFolder out;
  out.write();
  EXPECT_EQ(markdown_of(out), markdown_of(out));
}

}  // namespace
}  // namespace twinrun::harness
