#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/baseline/baseline.h"
#include "harness/infer/judge_inference.h"
#include "harness/launch/launch.h"
#include "harness/report/verdict_json.h"

namespace twinrun::harness {

/// A run as it was found, with what is known of its process.
struct JudgedRun {
  std::string name;
  RunView view;
  std::optional<LaunchResult> launch;  ///< of a run that this judge started
  std::string outcome;                 ///< how that process ended, for people
};

struct JudgeInput {
  std::vector<JudgedRun> runs;       ///< less than two are no twins: INVALID
  std::optional<JudgedRun> control;  ///< seed-plus-one, where there is one
  std::string control_missing;       ///< why there is none; for people
  bool without_controls = false;     ///< the caller waives seed-plus-one, and the verdict says so
  std::uint64_t controls_seed = 0;
  std::optional<BaselineRequest> baseline;  ///< the first run is held against it, if asked for
  std::optional<InferenceInput> inference;  ///< outputs of `runs`, in their order, where asked for
  /// Folder with the calibration and the window runs of runs that promise no bits.
  std::filesystem::path statistics;
  /// Runs of several kinds of machine, whose metrics alone are judged (judge_across.h).
  bool across = false;
  std::filesystem::path base;  ///< folder that run folders are told relative to; empty: as they are
};

/// False where a record says that its trainer promises no bits.
bool promises_bits(const std::vector<JudgedRun>& runs);

/// Whether there are runs and each is complete and intact, so that controls mean something.
bool all_intact(const std::vector<JudgedRun>& runs);

/// Compares every pair, runs the controls, holds the first run against its baseline, and puts the
/// verdict together: everything but the times. Outputs are judged where they were asked for and
/// every run is intact.
///
/// Which faults were planted is read only after the verdict stands. Green takes all of: every pair
/// equal, every control run and passed, seed-plus-one among them unless waived; and of a baseline
/// that was asked for that nothing is wrong with it.
VerdictReport judge(const JudgeInput& input);

/// The run as a verdict states it, without its injections.
RunReport run_report(const JudgedRun& run, const std::filesystem::path& base);

/// A text of the run's manifest; empty if it is not there.
std::string manifest_text(const RunView& view, const std::string& field);

/// A seed below 2^53 from the kernel.
std::uint64_t random_seed();

}  // namespace twinrun::harness
