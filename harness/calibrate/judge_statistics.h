#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/calibrate/calibrate.h"
#include "harness/calibrate/detection.h"
#include "harness/compare/compare.h"
#include "harness/compare/verdict.h"
#include "harness/protocol/eval_reader.h"

namespace twinrun::harness {

/// The control of the envelope: a run with another seed has to lie outside.
inline constexpr const char* kEnvelopeSeesSeed = "envelope-sees-seed";

/// Where the calibration of a verdict lies, below its folder, and the short runs of its windows.
inline constexpr const char* kCalibrationFolder = "calibration";
inline constexpr const char* kWindowsFolder = "windows";

/// The short run of `window` that `run` made, a folder in kWindowsFolder.
std::string window_run_name(const std::string& run, const StepWindow& window);

/// A run that promises no bits, and the short runs that it made of the windows that restore a
/// checkpoint.
struct Candidate {
  std::string name;
  const RunView* run = nullptr;  ///< whole, of all its steps
  /// Folder that has `<name>-<window>`, a run folder a restored window.
  std::filesystem::path windows;
  const protocol::EvalFile* evaluation = nullptr;  ///< null if there is none that holds
};

/// What the statistical verdict of a few runs is made from; all of it lies on the disk, so that it
/// can be made again from stored runs.
struct StatisticsInput {
  /// A copy of the calibration that was valid for them; need not exist.
  std::filesystem::path calibration;
  std::vector<Candidate> candidates;
  const RunView* control = nullptr;  ///< seed-plus-one, null if there is none
};

/// A candidate against the calibration.
struct CandidateScore {
  std::string name;
  WindowScore worst;
  double p = 0;  ///< conformal p-value
};

/// Two runs in one metric.
struct EquivalenceResult {
  std::string metric, a, b;  ///< metric with its unit, names of the runs
  std::string slice = {};    ///< category of held-out rows; empty: all, which the verdict rests on
  double margin = 0;
  double estimate = 0;              ///< of the difference b - a
  std::optional<double> low, high;  ///< of the interval; none if there are too few values
  std::int64_t n = 0;               ///< values compared
  /// Independent parts of them, where that are fewer.
  std::optional<std::int64_t> clusters = {};
  std::optional<double> p, p_holm;  ///< of "no difference"; adjusted for how many are tested
  std::string outcome;              ///< equivalent, different, undecided, not_finite, missing
  std::string note;                 ///< what would decide it, or why nothing could
};

/// How far runs that differ in seeds alone are apart in a metric.
struct SeedSpread {
  std::string metric;
  std::int64_t runs = 0;
  double deviation = 0;  ///< standard deviation, in the metric's unit
};

/// What runs that different kinds of machine made are told apart by.
struct MachineKinds {
  struct Pair {
    std::string a, b;                     ///< names of two runs of one experiment
    std::vector<Difference> differences;  ///< of their comparability keys
  };
  std::int64_t kinds = 0;
  std::vector<Pair> pairs;
};

struct StatisticsReport {
  Check calibration{"calibration", Verdict::kNotRun, "not_asked", ""};
  Check equivalence{"equivalence", Verdict::kNotRun, "not_asked", ""};
  std::optional<ControlOutcome> control;  ///< envelope-sees-seed
  StatisticsSettings settings;
  std::string statistics_digest;   ///< empty if the runs declare nothing
  std::string calibration_sha256;  ///< of the file; empty if there is none
  std::vector<double> scores;      ///< of the calibration
  std::vector<CalibratedWindow> windows;
  /// What `scores` and `windows` would have seen; empty where no score has p <= alpha.
  std::vector<Detection> detection;
  std::vector<std::vector<WindowCurves>> curves;  ///< of each candidate, a window each
  std::vector<CandidateScore> candidates;
  std::vector<EquivalenceResult> equivalences;
  std::vector<SeedSpread> spread;      ///< of runs of several kinds of machine, where seeds differ
  std::optional<MachineKinds> across;  ///< of judge_across
};

/// Puts what the runs declare into `report`. False, with the check `calibration` saying why, if
/// they declare nothing (`not_declared`) or not all the same (`other_settings`).
bool take_settings(const StatisticsInput& input, StatisticsReport& report);

/// Scores every candidate against the calibration and tests every pair for equivalence.
///
/// Check `calibration`:
///  REPRODUCED      within_envelope: p > alpha for every candidate
///  NOT_REPRODUCED  outside_envelope: window, channel and step are named; discrete_differs: a run
///                  has another batch, learning rate or random state than the calibrated ones
///  INVALID         window_run_failed: a short run of a candidate is not whole
///  INCONCLUSIVE    uncalibrated (no calibration of this key), other_settings,
///                  calibration_newer_schema, not_declared (the case has no `statistics`)
///  EVIDENCE_INVALID  calibration_malformed, calibration_edited, calibration_key_mismatch
/// Check `equivalence`:
///  REPRODUCED      equivalent: every metric of every pair lies within its margin
///  NOT_REPRODUCED  not_equivalent: one lies wholly outside
///  INVALID         non_finite: a value of either is not, or of both
///  INCONCLUSIVE    consistent: neither was shown; metric_missing
StatisticsReport judge_statistics(const StatisticsInput& input);

}  // namespace twinrun::harness
