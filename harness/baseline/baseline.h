#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/compare/compare.h"
#include "harness/compare/verdict.h"

namespace twinrun::harness {

/// Which curves a run is to be held against.
struct BaselineRequest {
  std::filesystem::path folder;  ///< of the curves; need not exist
  bool missing_fails = false;    ///< no curve for the run's key is INCONCLUSIVE, else NOT_RUN
};

/// A curve of another key than the run's.
struct NearCurve {
  std::string fingerprint;
  std::vector<Difference> differences;  ///< of the keys: a the run's, b the curve's
};

/// What came of holding a run against the curve of its key.
struct BaselineReport {
  Check check{"baseline", Verdict::kNotRun, "not_asked", "not asked for"};
  std::filesystem::path file;   ///< the curve, as it was looked for; empty if none was
  std::filesystem::path curve;  ///< `file` relative to the folder of verdict.json
  std::string fingerprint;      ///< of the run's key
  std::string sha256, head;     ///< of the curve; empty if it could not be read so far
  std::int64_t curve_steps = 0;
  std::int64_t steps_compared = 0;
  std::int64_t comparisons = 0;      ///< single values: fields of all lines
  std::optional<Divergence> first;   ///< a the run, b the curve; names no tensors
  std::vector<Difference> suspects;  ///< of made_by, filled when bits differ
  std::vector<NearCurve> nearest;    ///< at most three, filled when there is no curve
};

/// Holds `run` bit for bit against `<request.folder>/<fingerprint of its key>.jsonl`.
///
///  REPRODUCED        bitwise: every line equal, every float finite; bitwise_prefix: the same of a
///                    run that was to stop early, for the steps that it has
///  NOT_REPRODUCED    baseline_differs: `first` has step and field
///  EVIDENCE_INVALID  the curve is not intact: the reasons of read_curve
///  INVALID           non_finite: the same non-finite bits in both; different_length: lines that do
///                    not stand beside each other, which records found whole can only come to if
///                    one changes meanwhile
///  INCONCLUSIVE      no_promise, no_steps; no_baseline if missing_fails
///  NOT_RUN           no_baseline: `nearest` has the curves that come closest; run_failed: the run
///                    is not intact, so neither its key nor its end is known
BaselineReport check_baseline(const RunView& run, const BaselineRequest& request);

}  // namespace twinrun::harness
