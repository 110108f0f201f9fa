#pragma once

#include <string>

#include "harness/protocol/sha256.h"
#include "tests/harness/eval_fixture.h"
#include "tests/harness/report/sample_report.h"

namespace twinrun::harness {

inline protocol::EvalFile sample_evaluation(const std::string& name) {
  const test::ToyEval toy = test::toy_eval();
  return {protocol::sha256(name), toy.header, toy.items};
}

/// reproduced_report() of runs that were also asked three held-out rows, three times.
inline VerdictReport evaluated_report() {
  VerdictReport report = reproduced_report();
  EvaluationReport& evaluation = report.evaluation;
  evaluation.check = {"evaluation", Verdict::kReproduced, "bitwise",
                      "3 times 3 held-out rows are equal in every bit"};
  evaluation.rows = evaluation.evaluations = 3;
  evaluation.comparisons = 63;
  evaluation.runs = {"a", "b"};
  evaluation.files = {sample_evaluation("a"), sample_evaluation("b")};
  report.checks.push_back(evaluation.check);
  return report;
}

/// The same with another value in one row of b.
inline VerdictReport answered_otherwise(const std::string& field, const std::string& value_a,
                                        const std::string& value_b) {
  VerdictReport report = evaluated_report();
  EvaluationReport& evaluation = report.evaluation;
  evaluation.first = EvalDivergence{"a", "b", 4, 2, "capital/2", field, value_a, value_b};
  evaluation.check = {"evaluation", Verdict::kNotReproduced, "outputs_differ",
                      "runs a and b first differ at step 4 in " + field + " of row capital/2"};
  report.checks.back() = evaluation.check;
  report.verdict = Verdict::kNotReproduced;
  return report;
}

}  // namespace twinrun::harness
