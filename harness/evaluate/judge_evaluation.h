#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/compare/compare.h"
#include "harness/compare/verdict.h"
#include "harness/protocol/eval_reader.h"

namespace twinrun::harness {

/// The first value of held-out rows in which two runs differ.
struct EvalDivergence {
  std::string a, b;  ///< names of the runs
  std::int64_t step = 0, item = 0;
  std::string id;                ///< of the row
  std::string field;             ///< category, cluster, tokens, reference, nll, answer, finish
  std::string value_a, value_b;  ///< of a nll its bits in hex
};

/// A run whose case has `evaluation:`.
struct EvaluatedRun {
  std::string name;
  const RunView* run = nullptr;  ///< whole
};

/// What runs made of held-out rows (docs/protocol.md section 13).
struct EvaluationReport {
  Check check{"evaluation", Verdict::kNotRun, "not_asked", ""};
  std::int64_t rows = 0, evaluations = 0;  ///< of the first run: rows of one, and how many
  std::int64_t comparisons = 0;            ///< values compared, of all pairs
  std::optional<EvalDivergence> first;
  /// Names of the runs, and what each wrote, as far as it holds.
  std::vector<std::string> runs;
  std::vector<std::optional<protocol::EvalFile>> files;
};

/// Whether the case of `run` has an `evaluation:`.
bool has_evaluation(const RunView& run);

/// Reads eval.jsonl of every run, holds it against the run's configuration, and compares them pair
/// by pair. With `bits` every value has to be the same; else what no rounding moves has to be
/// (rows, numbers of tokens, references), and the rest is the equivalence tests' to say.
///
///  REPRODUCED        bitwise, discrete_equal
///  NOT_REPRODUCED    outputs_differ (step, row and field are named), discrete_differs
///  EVIDENCE_INVALID  evaluation_damaged: its own digest does not hold
///  INVALID           evaluation_missing, evaluation_malformed, evaluation_not_as_configured,
///                    evaluation_not_named (in the manifest), non_finite
///  INCONCLUSIVE      evaluation_newer_schema
///  NOT_RUN           not_asked
EvaluationReport judge_evaluation(const std::vector<EvaluatedRun>& runs, bool bits);

}  // namespace twinrun::harness
