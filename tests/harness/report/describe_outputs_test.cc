// What a report says of a verdict that only judges outputs, as `infer-check` leaves it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/report/describe.h"
#include "tests/harness/report/rendered.h"
#include "tests/harness/report/sample_report.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

VerdictReport outputs_report() {
  VerdictReport report = reproduced_report();
  report.runs.resize(1);
  report.runs[0].name = "run";
  report.comparisons.clear();
  report.control_runs.clear();
  report.controls = {{"noop-adapter", true, true, "as it should be", json::object()}};
  report.checks = {{"inference", Verdict::kReproduced, "within_bounds", "outputs are within"},
                   {"controls", Verdict::kReproduced, "passed", "as it should be"},
                   {"run", Verdict::kReproduced, "complete", "the run is whole"}};
  InferenceReport& found = report.inference;
  found.check = report.checks[0];
  found.judged = true;
  found.prompts = 3;
  found.reference = "../said.jsonl";
  found.reference_sha256 = std::string(64, 'f');
  found.reference_program = "transformers";
  found.kind = "other";
  found.bounds = InferenceBounds{};
  JudgedOutputs run{"run", "run/inference.jsonl", std::string(64, 'e'), {}};
  run.comparison.verdict = Verdict::kReproduced;
  run.comparison.reason = "within_bounds";
  found.runs = {run};
  found.texts = {{0, "greeting", "I am fine.", "I am fine.", std::nullopt},
                 {1, "who", "a model", "a <b>muddle</b>", 1},
                 {2, "long", std::string(700, 'x') + "END", std::string(700, 'x') + "OTHER", 90}};
  return report;
}

Document document_of(const json& value) {
  return test::rendered(value, [](const VerdictFile& verdict, const Evidence& evidence) {
    return describe(verdict, evidence, "");
  });
}

TEST(OutputsReport, SaysWhatWasJudgedAndNothingOfTwins) {
  const Document document = document_of(to_json(outputs_report()));
  for (const std::string& text : {to_markdown(document), to_html(document)}) {
    EXPECT_THAT(text, AllOf(HasSubstr("outputs for 3 prompts"), HasSubstr("transformers"),
                            HasSubstr("gave the outputs of the reference")));
    for (const char* untrue : {"The same training", "trained 1", "bit for bit: no tolerance",
                               "twinrun compare", "Four tests", "repeatability"}) {
      EXPECT_THAT(text, Not(HasSubstr(untrue)));
    }
  }
}

TEST(OutputsReport, EveryCheckAndControlHasItsQuestion) {
  const Document document = document_of(to_json(outputs_report()));
  std::size_t asked = 0;
  for (const ReportSection& section : document.sections) {
    for (const Block& block : section.blocks) {
      const auto* table = std::get_if<Table>(&block);
      if (table == nullptr || table->header.at(1) != "asks") continue;
      asked += table->rows.size();
      for (const auto& row : table->rows) EXPECT_NE(row.at(1).text, "") << row.at(0).text;
    }
  }
  EXPECT_EQ(asked, 4u);  // three checks and a control
}

TEST(OutputsReport, TextsStandSideBySideEscapedAndCut) {
  const Document document = document_of(to_json(outputs_report()));
  const std::string html = to_html(document), markdown = to_markdown(document);
  EXPECT_THAT(markdown, HasSubstr("| greeting | I am fine. | I am fine. | nowhere |"));
  EXPECT_THAT(markdown, HasSubstr("| who | a model | a \\<b\\>muddle\\</b\\> | 1 |"));
  EXPECT_THAT(html, HasSubstr("a &lt;b&gt;muddle&lt;/b&gt;"));
  for (const std::string& text : {html, markdown}) {
    EXPECT_THAT(
        text, AllOf(HasSubstr("xEND"), HasSubstr("xOTHER"), Not(HasSubstr(std::string(200, 'x')))));
  }
}

TEST(OutputsReport, OneThatDiffersOrIsInvalidHasItsOwnMeaning) {
  VerdictReport report = outputs_report();
  report.verdict = Verdict::kNotReproduced;
  report.checks[0].verdict = report.inference.check.verdict = Verdict::kNotReproduced;
  EXPECT_THAT(
      to_markdown(document_of(to_json(report))),
      AllOf(HasSubstr("gave other outputs than the reference"), Not(HasSubstr("training gave"))));
  report.verdict = Verdict::kInvalid;
  report.checks[0].verdict = Verdict::kInvalid;
  EXPECT_THAT(to_markdown(document_of(to_json(report))),
              HasSubstr("No statement about the outputs"));
}

TEST(TwinsReport, HasNoToleranceForTwinsOnly) {
  EXPECT_THAT(
      to_markdown(document_of(to_json(reproduced_report()))),
      AllOf(HasSubstr("twinrun compare a b"), HasSubstr("the twins bit for bit: no tolerance"),
            Not(HasSubstr("Four tests"))));
}

}  // namespace
}  // namespace twinrun::harness
