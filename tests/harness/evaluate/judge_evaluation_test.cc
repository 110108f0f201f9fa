#include "harness/evaluate/judge_evaluation.h"

#include <gmock/gmock.h>

#include <limits>

#include "tests/harness/eval_fixture.h"
#include "tests/harness/synthetic_run.h"

namespace twinrun::harness {
namespace {

using test::SyntheticRun;
using test::toy_eval;
using test::ToyEval;
using testing::HasSubstr;

/// Runs of five steps, and what each made of three rows after steps 2, 4 and 5.
class JudgeEvaluation : public testing::Test {
 protected:
  static nlohmann::json judgement() {
    return {{"sha256", std::string(64, 'b')},
            {"every", 2},
            {"max_new_tokens", 8},
            {"batch_size", 2},
            {"max_length", 64}};
  }

  SyntheticRun run(const std::string& name) const {
    SyntheticRun made(5, "run-" + name);
    made.config.judgement["evaluation"] = judgement();
    return made;
  }

  /// Writes run `name` with `text` as its eval.jsonl.
  void write(const std::string& name, SyntheticRun made, const std::string& text) {
    made.manifest["files"]["eval.jsonl"] = protocol::to_hex(protocol::sha256(text));
    write_named(name, made, text);
  }
  void write_named(const std::string& name, SyntheticRun& made, const std::string& text) {
    const auto dir = folder_.path() / name;
    made.write(dir);
    if (!text.empty()) test::write_file(dir / "eval.jsonl", text);
    views_.push_back(std::make_unique<RunView>(read_run(dir)));
    runs_.push_back({name, views_.back().get()});
  }
  /// The same with the rows of `eval`, whose identity is set.
  void write(const std::string& name, ToyEval eval) {
    SyntheticRun made = run(name);
    eval.header.identity = protocol::to_hex(made.config.identity_digest());
    write(name, made, eval.text());
  }

  EvaluationReport judged(bool bits = true) const { return judge_evaluation(runs_, bits); }
  void expect(Verdict verdict, const std::string& reason, bool bits = true) const {
    const EvaluationReport report = judged(bits);
    EXPECT_EQ(report.check.verdict, verdict) << report.check.message;
    EXPECT_EQ(report.check.reason, reason) << report.check.message;
  }

  test::TempFolder folder_;
  std::vector<std::unique_ptr<RunView>> views_;
  std::vector<EvaluatedRun> runs_;
};

TEST_F(JudgeEvaluation, EqualFilesAreGreenInEveryValue) {
  write("a", toy_eval());
  write("b", toy_eval());
  expect(Verdict::kReproduced, "bitwise");
  const EvaluationReport report = judged();
  EXPECT_EQ(report.rows, 3);
  EXPECT_EQ(report.evaluations, 3);
  EXPECT_EQ(report.comparisons, 9 * 8);
  ASSERT_EQ(report.files.size(), 2u);
  EXPECT_TRUE(report.files[1]);
}

TEST_F(JudgeEvaluation, ACaseWithoutHeldOutRowsAsksForNothing) {
  SyntheticRun plain(5, "run-a");
  write_named("a", plain, "");
  expect(Verdict::kNotRun, "not_asked");
}

TEST_F(JudgeEvaluation, OneBitOfALossIsFound) {
  write("a", toy_eval());
  ToyEval other = toy_eval();
  other.items[4].nll = std::nextafter(other.items[4].nll, 100.0);
  write("b", other);
  expect(Verdict::kNotReproduced, "outputs_differ");
  const auto first = judged().first;
  ASSERT_TRUE(first);
  EXPECT_EQ(first->step, 4);
  EXPECT_EQ(first->item, 1);
  EXPECT_EQ(first->field, "nll");
  EXPECT_EQ(first->id, "capital/1");
  EXPECT_NE(first->value_a, first->value_b);
  // Where no bits are promised that is rounding, which the equivalence tests weigh.
  expect(Verdict::kReproduced, "discrete_equal", false);
}

TEST_F(JudgeEvaluation, AnAnswerOrHowItEndedIsFound) {
  write("a", toy_eval());
  ToyEval other = toy_eval();
  other.items[0].answer = "Limb";
  write("b", other);
  EXPECT_EQ(judged().first->field, "answer");
  other = toy_eval();
  other.items[0].finish = protocol::Finish::kLength;
  write("c", other);
  runs_.erase(runs_.begin() + 1);
  EXPECT_EQ(judged().first->field, "finish");
}

TEST_F(JudgeEvaluation, OtherRowsAreOtherRowsInEveryMode) {
  write("a", toy_eval());
  ToyEval other = toy_eval();
  for (auto& item : other.items) item.tokens += item.item == 1 ? 1 : 0;
  write("b", other);
  expect(Verdict::kNotReproduced, "discrete_differs", false);
  EXPECT_EQ(judged(false).first->field, "tokens");
}

TEST_F(JudgeEvaluation, RowsOfAnotherClusterAreOtherRows) {
  write("a", toy_eval());
  ToyEval other = toy_eval();
  for (auto& item : other.items) item.cluster = "Chile";
  write("b", other);
  expect(Verdict::kNotReproduced, "discrete_differs", false);
  EXPECT_EQ(judged(false).first->field, "cluster");
}

TEST_F(JudgeEvaluation, WhatIsNotFiniteInBothIsNotGreen) {
  ToyEval eval = toy_eval();
  eval.items[8].nll = std::numeric_limits<double>::quiet_NaN();
  write("a", eval);
  write("b", eval);
  expect(Verdict::kInvalid, "non_finite");
  expect(Verdict::kInvalid, "non_finite", false);
}

TEST_F(JudgeEvaluation, NoFileIsNotGreen) {
  for (const char* name : {"a", "b"}) {
    SyntheticRun made = run(name);
    write_named(name, made, "");
  }
  expect(Verdict::kInvalid, "evaluation_missing");
}

TEST_F(JudgeEvaluation, AFileThatTheManifestDoesNotNameCounts) {
  write("a", toy_eval());
  SyntheticRun made = run("b");
  ToyEval eval = toy_eval();
  eval.header.identity = protocol::to_hex(made.config.identity_digest());
  write_named("b", made, eval.text());
  expect(Verdict::kInvalid, "evaluation_not_named");
}

TEST_F(JudgeEvaluation, CutAndChangedFilesAreToldApart) {
  ToyEval eval = toy_eval();
  eval.header.identity = protocol::to_hex(run("x").config.identity_digest());
  const std::string text = eval.text();
  write("a", run("a"), text);
  write("b", run("b"), text.substr(0, text.size() / 2));
  expect(Verdict::kInvalid, "evaluation_malformed");
  std::string changed = text;
  changed.replace(changed.find("Lime"), 4, "Lima");
  write("c", run("c"), changed);
  expect(Verdict::kEvidenceInvalid, "evaluation_damaged");  // the worst of three
}

TEST_F(JudgeEvaluation, AHeaderOfOtherSettingsIsNotAsConfigured) {
  using Change = void (*)(protocol::EvalHeader&);
  const std::vector<std::pair<Change, std::string>> changes = {
      {[](protocol::EvalHeader& header) { header.data = std::string(64, 'c'); }, "sha256"},
      {[](protocol::EvalHeader& header) { header.batch_size = 3; }, "batch_size"},
      {[](protocol::EvalHeader& header) { header.max_length = 65; }, "max_length"},
      {[](protocol::EvalHeader& header) { header.max_new_tokens = 9; }, "max_new_tokens"},
      {[](protocol::EvalHeader& header) { header.identity = std::string(64, 'd'); }, "identity"}};
  for (const auto& [change, part] : changes) {
    runs_.clear();
    ToyEval eval = toy_eval();
    SyntheticRun made = run(part);
    eval.header.identity = protocol::to_hex(made.config.identity_digest());
    change(eval.header);
    write(part, made, eval.text());
    expect(Verdict::kInvalid, "evaluation_not_as_configured");
    EXPECT_THAT(judged().check.message, HasSubstr(part));
  }
}

TEST_F(JudgeEvaluation, AnEvaluationOfAnEarlierStepIsNotThatOfTheRun) {
  ToyEval eval = toy_eval();
  eval.header.last = 4;
  eval.items.resize(6);
  write("a", eval);
  expect(Verdict::kInvalid, "evaluation_not_as_configured");
  EXPECT_THAT(judged().check.message, HasSubstr("last step"));
}

TEST_F(JudgeEvaluation, ARunWithoutItBesideOneWithItIsNotGreen) {
  write("a", toy_eval());
  SyntheticRun plain(5, "run-b");
  write_named("b", plain, "");
  expect(Verdict::kInvalid, "evaluation_not_as_configured");
}

}  // namespace
}  // namespace twinrun::harness
