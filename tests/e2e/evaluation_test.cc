// Held-out rows in the verdict: docs/protocol.md section 13, with the fake trainer.

#include <gmock/gmock.h>

#include "tests/e2e/toy_case.h"

namespace twinrun {
namespace {

using nlohmann::json;
using testing::HasSubstr;

namespace fs = std::filesystem;

class Evaluation : public ToyCase {
 protected:
  Evaluation() {
    std::string rows;
    for (int i = 0; i < 200; ++i) {
      const std::string answer = i % 2 == 0 ? "yes" : "no";
      const std::string category = i % 4 < 2 ? "facts" : "sums";
      rows += json{{"prompt", "?"}, {"response", answer}, {"category", category}}.dump() + "\n";
    }
    write("heldout.jsonl", rows);
  }

  /// The case with an evaluation after steps 2, 4 and 6, and lines of its own.
  void declare(const std::string& params, const std::string& more = "") const {
    this->params("{" + params + "}");
    std::string text = read("case.yaml");
    text.replace(text.find("{steps: 6}"), 10, "{steps: 6, eval_every: 2}");
    write("case.yaml", text + "evaluation: {path: heldout.jsonl, max_length: 64}\n" + more + "\n");
  }
  void declare_noisy(const std::string& params, const std::string& margins) const {
    declare("promise: none" + (params.empty() ? "" : ", " + params),
            "statistics: {alpha: 0.25, envelope_runs: 3, calibration_runs: 3, window_steps: 4, "
            "equivalence: {margins: {" +
                margins + "}}}");
  }
  void calibrated() const {
    ASSERT_EQ(twinrun({"calibrate", "case.yaml", "--work", "work", "--quiet"}).exit_code, 0);
    ASSERT_EQ(
        twinrun({"calibrate", "case.yaml", "--accept", "--why", "x", "--who", "me"}).exit_code, 0);
  }
  void expect(const ProcessResult& result, int exit_code, const std::string& name,
              const std::string& reason) const {
    EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
    EXPECT_EQ(check(verdict(), name).at("reason"), reason) << result.out;
  }
  /// The result of `metric` over `slice` in the verdict.
  json equivalence(const std::string& metric, const std::string& slice = "") const {
    const json stored = verdict();
    for (const json& result : stored.at("statistics").at("equivalences")) {
      if (result.at("metric") == metric && result.at("slice") == slice) return result;
    }
    return {};
  }
};

TEST_F(Evaluation, TwinsThatPromiseBitsAnswerInTheSameBits) {
  declare("");
  const ProcessResult result = verify();
  expect(result, 0, "evaluation", "bitwise");
  EXPECT_THAT(result.out, HasSubstr("all, 200 rows: loss"));
  const json evaluation = verdict().at("evaluation");
  EXPECT_EQ(evaluation.at("rows"), 200);
  EXPECT_EQ(evaluation.at("evaluations"), 3);
  const json scores = evaluation.at("runs").at(1).at("scores");
  ASSERT_EQ(scores.size(), 3u);
  EXPECT_EQ(scores.at(1).at("slice"), "facts");
  EXPECT_EQ(scores.at(0).at("exact_match"), 100);
  EXPECT_EQ(scores.at(0).at("macro_f1"), 100);
  EXPECT_EQ(twinrun({"compare", "out/a", "out/b"}).exit_code, 0);
  EXPECT_EQ(twinrun({"bundle", "out"}).exit_code, 0);
  const ProcessResult packed = twinrun({"bundle", "--check", "out.tar"});
  EXPECT_EQ(packed.exit_code, 0) << packed.out << packed.err;
  EXPECT_THAT(packed.out, testing::Not(HasSubstr("evaluation")));  // judged again, not taken over
}

TEST_F(Evaluation, OneOtherAnswerIsFoundAtItsRow) {
  declare("eval_wrong: 1, eval_fault_in: b");
  const ProcessResult result = verify();
  expect(result, 1, "evaluation", "outputs_differ");
  const json first = verdict().at("evaluation").at("first");
  EXPECT_EQ(first.at("step"), 2);
  EXPECT_EQ(first.at("field"), "answer");
  EXPECT_THAT(result.out, HasSubstr("answer of row 0"));
  const ProcessResult report = twinrun({"report", "out/verdict.json", "--format", "md"});
  EXPECT_THAT(report.out, HasSubstr("| step 2, row 0 (0): the answer | \"yes\" | "));
  EXPECT_EQ(twinrun({"bundle", "out"}).exit_code, 0);
  EXPECT_EQ(twinrun({"bundle", "--check", "out.tar"}).exit_code, 1);
}

TEST_F(Evaluation, WhatIsMissingOrNotFiniteIsNeverGreen) {
  declare("eval: none");
  expect(verify(), 3, "evaluation", "evaluation_missing");
  fs::remove_all(path("out"));
  declare("eval_shift: nan");
  expect(verify(), 3, "evaluation", "non_finite");
}

TEST_F(Evaluation, AFileThatWasChangedAfterwardsIsNoEvidence) {
  declare("");
  ASSERT_EQ(verify().exit_code, 0);
  std::string text = read("out/b/eval.jsonl");
  text.replace(text.find("\"answer\":\"yes\""), 14, "\"answer\":\"yet\"");
  write("out/b/eval.jsonl", text);
  EXPECT_EQ(twinrun({"compare", "out/a", "out/b"}).exit_code, 5);
}

TEST_F(Evaluation, EveryDeclaredMetricHasToLieWithinItsMargin) {
  const std::string margins =
      "heldout_loss_nats: 0.01, exact_match_points: 2, token_f1_points: 2, accuracy_points: 2, "
      "macro_f1_points: 5";
  declare_noisy("", margins);
  calibrated();
  const ProcessResult green = verify();
  expect(green, 0, "equivalence", "equivalent");
  EXPECT_THAT(green.out, HasSubstr("no detectable difference at alpha = 0.25, and equivalent"));
  EXPECT_THAT(green.err, HasSubstr("exact_match_points: margin 2, at best 1.3 can be shown"));
  EXPECT_EQ(check(verdict(), "evaluation").at("reason"), "discrete_equal");
  for (const char* metric : {"final_loss_nats", "heldout_loss_nats", "exact_match_points",
                             "token_f1_points", "accuracy_points", "macro_f1_points"}) {
    EXPECT_EQ(equivalence(metric).at("outcome"), "equivalent") << metric;
  }
  EXPECT_EQ(equivalence("exact_match_points", "sums").at("n"), 100);
  EXPECT_THAT(green.out, HasSubstr("would have been seen (window start)"));
  const std::string report = twinrun({"report", "out/verdict.json", "--format", "md"}).out;
  EXPECT_THAT(report, HasSubstr("| &emsp;sums | "));
  EXPECT_THAT(report, HasSubstr("What would have been seen"));
  EXPECT_EQ(twinrun({"compare", "out/a", "out/b"}).exit_code, 0);
}

TEST_F(Evaluation, RowsAboutOneTextCountAsOne) {
  std::string rows;
  for (int i = 0; i < 200; ++i) {
    rows += json{{"prompt", "?"}, {"response", "yes"}, {"cluster", std::to_string(i / 4)}}.dump();
    rows += "\n";
  }
  write("heldout.jsonl", rows);
  declare_noisy("", "token_f1_points: 6");
  calibrated();
  const ProcessResult green = verify();
  EXPECT_EQ(green.exit_code, 0) << green.out << green.err;
  EXPECT_THAT(green.err, HasSubstr("at best 5.1 can be shown (200 held-out rows in 50 clusters)"));
  EXPECT_EQ(equivalence("token_f1_points").at("clusters"), 50);
  EXPECT_NEAR(equivalence("token_f1_points").at("high"), 5.13, 0.01);
  const std::string report = twinrun({"report", "out/verdict.json", "--format", "md"}).out;
  EXPECT_THAT(report, HasSubstr(" | 200 in 50 clusters | "));
}

TEST_F(Evaluation, AMetricThatIsWorseIsNamedWithItsSlice) {
  declare_noisy("eval_wrong: 40, eval_fault_in: b", "exact_match_points: 2");
  calibrated();
  const ProcessResult result = verify();
  expect(result, 1, "equivalence", "not_equivalent");
  EXPECT_THAT(check(verdict(), "equivalence").at("message").get<std::string>(),
              HasSubstr("exact_match_points of facts"));
  EXPECT_EQ(equivalence("exact_match_points").at("estimate"), -20);
  EXPECT_LT(equivalence("exact_match_points").at("p_holm"), 0.001);
}

TEST_F(Evaluation, WhatWasNotShownIsNotGreen) {
  declare_noisy("eval_wrong: 3, eval_fault_in: b", "exact_match_points: 2");
  calibrated();
  expect(verify(), 3, "equivalence", "consistent");
  EXPECT_THAT(equivalence("exact_match_points").at("note").get<std::string>(),
              HasSubstr("would decide it"));
  fs::remove_all(path("out"));
  declare_noisy("eval: none", "exact_match_points: 2");
  expect(verify(), 3, "equivalence", "metric_missing");
}

TEST_F(Evaluation, AMarginThatNoRunCouldPassIsRefusedBeforeAnyRuns) {
  struct Case {
    std::string margins, message;
  };
  for (const Case& wrong : std::vector<Case>{{"exact_match_points: 0.1", "below what can be shown"},
                                             {"token_f1_points: 1", "it takes 268 rows"},
                                             {"exact_match_points: 0", "exact_match_points"}}) {
    declare_noisy("", wrong.margins);
    const ProcessResult result = verify();
    EXPECT_EQ(result.exit_code, 2) << wrong.margins;
    EXPECT_THAT(result.err, HasSubstr(wrong.message));
    EXPECT_FALSE(fs::exists(path("out/a")));
  }
  declare_noisy("", "accuracy_points: 5");
  EXPECT_THAT(verify({"--set", "evaluation.max_new_tokens=0"}).err, HasSubstr("no answers"));
  params("{promise: none}");
  write("case.yaml",
        read("case.yaml") + "statistics: {equivalence: {margins: {heldout_loss_nats: 0.1}}}\n");
  const ProcessResult without = verify();
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_THAT(without.err, HasSubstr("`evaluation:` names their file"));
}

}  // namespace
}  // namespace twinrun
