#pragma once

#include <string>
#include <vector>

#include "harness/bench/session.h"
#include "harness/compare/verdict.h"

namespace twinrun::harness {

/// One line of the report.
struct ComparisonResult {
  ComparisonSpec spec;
  /// `measured`, `could not run`, `not measured` (too few blocks that count).
  std::string state;
  std::string reason, message;  ///< of an arm that could not run
  Estimate estimate;            ///< of all but A/A widened: `half_width_min`, `widened`
};

struct BenchVerdict {
  Verdict verdict = Verdict::kInconclusive;
  std::vector<Check> checks;  ///< controls, slowdown; kReproduced stands for WITHIN_BUDGET
  std::vector<ComparisonResult> results;
  /// By so much, as a fraction, every interval was widened to each side: two processes of one
  /// program differed by it.
  double widened = 0;
};

/// Judges what was measured; the rules stand in docs/bench.md.
///
/// SLOWDOWN_EXCEEDED and WITHIN_BUDGET (kReproduced) take controls that passed: an instrument that
/// sees a difference where there is none, or none where there is one, has shown nothing.
BenchVerdict judge_bench(const SessionState& state, const BenchSettings& settings);

/// As to_string of a verdict, but WITHIN_BUDGET for kReproduced.
std::string bench_verdict_name(Verdict verdict);

}  // namespace twinrun::harness
