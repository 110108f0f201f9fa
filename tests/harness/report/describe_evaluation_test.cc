// What reports say of held-out rows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/report/describe.h"
#include "harness/report/github.h"
#include "harness/report/junit.h"
#include "tests/harness/report/evaluated_report.h"
#include "tests/harness/report/hostile.h"
#include "tests/harness/report/rendered.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

std::string markdown_of(const json& value) {
  return test::rendered(value, [](const VerdictFile& verdict, const Evidence& evidence) {
    return to_markdown(describe(verdict, evidence, ""));
  });
}
std::string html_of(const json& value) {
  return test::rendered(value, [](const VerdictFile& verdict, const Evidence& evidence) {
    return to_html(describe(verdict, evidence, ""));
  });
}
std::string junit_of(const json& value) { return test::rendered(value, to_junit); }
std::string github_of(const json& value) {
  return test::rendered(value, [](const VerdictFile& verdict, const Evidence& evidence) {
    return to_github(verdict, evidence, "");
  });
}

constexpr const char* kTitle = "Held-out rows";

TEST(DescribeEvaluation, WithoutHeldOutRowsNothingIsSaidOfThem) {
  for (const VerdictReport& report : {reproduced_report(), diverged_report()}) {
    const json value = to_json(report);
    ASSERT_TRUE(value["evaluation"].is_null());
    EXPECT_THAT(html_of(value), Not(HasSubstr(kTitle)));
    EXPECT_THAT(markdown_of(value), Not(HasSubstr(kTitle)));
    EXPECT_THAT(markdown_of(value), Not(HasSubstr("held-out")));
    EXPECT_THAT(junit_of(value), Not(HasSubstr("evaluation")));
  }
}

TEST(DescribeEvaluation, SaysWhatWasComparedAndHowOften) {
  const std::string text = markdown_of(to_json(evaluated_report()));
  EXPECT_THAT(text, HasSubstr("\n### Held-out rows\n"));
  EXPECT_THAT(text, HasSubstr("Every row has the same number of tokens, loss, answer and end"));
  EXPECT_THAT(text, HasSubstr("| evaluated | 3 times in each of 2 runs |"));
  EXPECT_THAT(text, HasSubstr("| values compared | 63 |"));
  EXPECT_THAT(text, HasSubstr("every loss and every answer bit for bit"));
  EXPECT_THAT(text, Not(HasSubstr("first row that differs")));
}

TEST(DescribeEvaluation, ScoresStandByCategoryAndRunAndAreEmptyWhereThereIsNone) {
  const json value = to_json(evaluated_report());
  const json scores = value["evaluation"]["runs"][0]["scores"];
  ASSERT_EQ(scores.size(), 2u) << "all rows, capitals";
  const std::string text = markdown_of(value);
  EXPECT_THAT(text, HasSubstr("| rows of | run | rows | loss | perplexity | exact match | token F1 "
                              "| accuracy | macro F1 |"));
  // Of three rows two are right, and the references are one label.
  EXPECT_THAT(text, HasSubstr("| all rows | a | 3 |"));
  EXPECT_THAT(text, HasSubstr("| 66\\.67 | 66\\.67 | 66\\.67 | 80\\.00 |"));
  EXPECT_LT(text.find("| all rows | b |"), text.find("| capitals | a |")) << "side by side";
  json without = value;
  for (json& run : without["evaluation"]["runs"]) {
    for (json& slice : run["scores"]) {
      for (const char* score : {"exact_match", "token_f1", "accuracy", "macro_f1"}) {
        slice[score] = nullptr;
      }
    }
  }
  EXPECT_THAT(markdown_of(without), HasSubstr(" |  |  |  |  |\n"));
}

TEST(DescribeEvaluation, ManyCategoriesAreCounted) {
  json value = to_json(evaluated_report());
  for (json& run : value["evaluation"]["runs"]) {
    for (int i = 0; i < 99; ++i) {
      run["scores"].push_back(run["scores"][1]);
      run["scores"].back()["slice"] = "category " + std::to_string(i);
    }
  }
  EXPECT_THAT(markdown_of(value), HasSubstr("And 82 more in verdict.json."));
}

TEST(DescribeEvaluation, TheFirstRowThatDiffersHasBothValues) {
  const json answer = to_json(answered_otherwise("answer", "\"Lima\"", "\"Lime\""));
  EXPECT_THAT(markdown_of(answer),
              HasSubstr("| first row that differs | run a | run b |\n|---|---|---|\n"
                        "| step 4, row 2 (capital/2): the answer | \"Lima\" | \"Lime\" |"));
  EXPECT_THAT(markdown_of(answer), HasSubstr("| values compared | 63, up to the first that"));
  EXPECT_THAT(markdown_of(answer), HasSubstr("The runs did not make the same of the held-out"));
  const json loss = to_json(answered_otherwise("nll", "3ff8000000000000", "3ff8000000000001"));
  EXPECT_THAT(html_of(loss), HasSubstr("<code>3ff8000000000000  (1.5)</code>"));
  EXPECT_THAT(html_of(loss), HasSubstr("<code>3ff8000000000001  (1.5000000000000002)</code>"));
  EXPECT_THAT(markdown_of(to_json(answered_otherwise("nll", "no bits", "3ff8"))),
              HasSubstr("| `no bits` | `3ff8` |"));
}

TEST(DescribeEvaluation, LongAnswersStandFromWhereTheyPart) {
  const std::string same(500, 'x');
  const std::string text =
      markdown_of(to_json(answered_otherwise("answer", same + " yes", same + " no")));
  EXPECT_THAT(text, HasSubstr(" yes |"));
  EXPECT_THAT(text, HasSubstr(" no |"));
  EXPECT_THAT(text, Not(HasSubstr(same)));
}

TEST(DescribeEvaluation, SaysHowToCheckItAgain) {
  const json value = to_json(evaluated_report());
  const std::string text = markdown_of(value);
  EXPECT_THAT(text,
              HasSubstr("    sha256sum a/eval.jsonl b/eval.jsonl\n    twinrun compare a b\n"));
  for (const json& run : value["evaluation"]["runs"]) {
    EXPECT_THAT(text, HasSubstr(run["sha256"].get<std::string>()));
  }
}

TEST(DescribeEvaluation, EveryReasonHasWords) {
  for (const auto& [verdict, reason] : std::vector<std::pair<Verdict, std::string>>{
           {Verdict::kReproduced, "bitwise"},
           {Verdict::kReproduced, "discrete_equal"},
           {Verdict::kNotReproduced, "outputs_differ"},
           {Verdict::kNotReproduced, "discrete_differs"},
           {Verdict::kInvalid, "evaluation_malformed"},
           {Verdict::kInvalid, "evaluation_missing"},
           {Verdict::kInvalid, "non_finite"},
           {Verdict::kInvalid, "evaluation_not_as_configured"},
           {Verdict::kInvalid, "evaluation_not_named"},
           {Verdict::kInconclusive, "evaluation_newer_schema"},
           {Verdict::kEvidenceInvalid, "evaluation_damaged"},
           {Verdict::kNotRun, "run_failed"}}) {
    json value = to_json(evaluated_report());
    value["checks"].back().update(
        {{"verdict", to_string(verdict)}, {"reason", reason}, {"message", "m"}});
    if (verdict != Verdict::kReproduced && verdict != Verdict::kNotRun) {
      value["verdict"] = to_string(verdict);
      value["exit_code"] = static_cast<int>(exit_code(verdict));
    }
    const std::string text = markdown_of(value);
    const std::size_t begin = text.find("### Held-out rows\n\n") + 19;
    const std::string sentence = text.substr(begin, text.find('\n', begin) - begin);
    EXPECT_GT(sentence.size(), 20u) << reason;
    EXPECT_THAT(sentence, Not(HasSubstr(to_string(verdict)))) << reason << " has none of its own";
  }
}

TEST(DescribeEvaluation, WhereNoRunIsIntactTheReasonAloneIsThere) {
  VerdictReport report = evaluated_report();
  report.evaluation = {};
  report.evaluation.check = {"evaluation", Verdict::kNotRun, "run_failed", "a run is not intact"};
  report.checks.back() = report.evaluation.check;
  const std::string text = markdown_of(to_json(report));
  EXPECT_THAT(text, HasSubstr("Nothing was compared, since a run is not intact."));
  EXPECT_THAT(text, Not(HasSubstr("values compared")));
  EXPECT_THAT(junit_of(to_json(report)), HasSubstr("<skipped message=\"a run is not intact\"/>"));
}

TEST(DescribeEvaluation, OneRunThatLeftNothingHasNoDigestAndNoScore) {
  VerdictReport report = evaluated_report();
  report.evaluation.files[1].reset();
  report.evaluation.rows = report.evaluation.evaluations = report.evaluation.comparisons = 0;
  report.evaluation.check = {"evaluation", Verdict::kInvalid, "evaluation_missing", "run b: none"};
  report.checks.back() = report.evaluation.check;
  report.verdict = Verdict::kInvalid;
  const std::string text = markdown_of(to_json(report));
  EXPECT_THAT(text, HasSubstr("| SHA-256 of eval.jsonl, run b | not recorded |"));
  EXPECT_THAT(text, HasSubstr("    sha256sum a/eval.jsonl\n"));
  EXPECT_THAT(text, Not(HasSubstr("| all rows | b |")));
}

TEST(DescribeEvaluation, JUnitAndAnnotationsHaveBothAnswers) {
  const json value = to_json(answered_otherwise("answer", "\"Lima\"", "\"Lime\""));
  const std::string message = "of row capital/2: &quot;Lima&quot; in run a, &quot;Lime&quot; in";
  EXPECT_THAT(junit_of(value), HasSubstr("<failure type=\"outputs_differ\" message=\"runs a and b"
                                         " first differ at step 4 in answer " +
                                         message));
  EXPECT_THAT(github_of(value),
              HasSubstr("::error title=twinrun%3A NOT_REPRODUCED::smollm2-chat: runs a and b first "
                        "differ at step 4 in answer of row capital/2: \"Lima\" in run a, \"Lime\" "
                        "in run b\n"));
  json both = to_json(answered_otherwise("answer", "\"Lima\"", "\"Lime\""));
  both["checks"][4].update({{"verdict", "NOT_REPRODUCED"}, {"message", "too slow"}});
  EXPECT_THAT(github_of(both), HasSubstr("::error title=twinrun%3A evaluation is NOT_REPRODUCED::"
                                         "runs a and b first differ at step 4 in answer of row "
                                         "capital/2: \"Lima\" in run a"));
}

TEST(DescribeEvaluation, HostileAnswersAddNothing) {
  const std::string answer = "\"" + test::hostile_text() + "\"";
  for (const char* field : {"answer", "reference", "category", "cluster", "nll", "finish", "new"}) {
    json value = to_json(answered_otherwise(field, answer, answer + "x"));
    const json hostile = test::made_hostile(value);
    for (const json& one : {value, hostile}) {
      const std::string page = html_of(one);
      for (const char* part :
           {"<script", "onerror=alert(2)>", "\x1b", "\xe2\x80\xae", "<img", "</title></td>"}) {
        EXPECT_THAT(page, Not(HasSubstr(part))) << field;
      }
      for (const char* part : {"\n# head", "\n| a | b |", "\n::error", "\x1b", "\xe2\x80\xae"}) {
        EXPECT_THAT(markdown_of(one), Not(HasSubstr(part))) << field;
      }
      EXPECT_THAT(junit_of(one), Not(HasSubstr("<img"))) << field;
      EXPECT_THAT(github_of(one), Not(HasSubstr("\n::set-output"))) << field;
      EXPECT_THAT(github_of(one), Not(HasSubstr("\n::error file=x"))) << field;
    }
  }
}

}  // namespace
}  // namespace twinrun::harness
