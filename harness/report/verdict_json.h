#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/baseline/baseline.h"
#include "harness/calibrate/judge_statistics.h"
#include "harness/compare/compare.h"
#include "harness/compare/verdict.h"
#include "harness/evaluate/judge_evaluation.h"
#include "harness/infer/judge_inference.h"

namespace twinrun::harness {

/// Version of verdict.json.
inline constexpr int kVerdictSchema = 1;

/// One run as the verdict states it.
struct RunReport {
  std::string name;
  std::filesystem::path dir;  ///< relative to the folder of verdict.json
  std::string run_id, status, head;
  std::int64_t steps = 0;  ///< last step in the record; 0 if there is none
  Verdict verdict = Verdict::kInvalid;
  std::string reason, problem;
  double seconds = 0;              ///< 0 if this judge did not start it
  std::int64_t max_rss_bytes = 0;  ///< 0 if this judge did not start it
  std::string outcome;             ///< how the process ended; empty if this judge did not start it
  std::string stderr_tail;         ///< its last lines, of a run that failed
  std::vector<std::string> injected;  ///< planted faults, read after the verdict had been made
};

struct ComparisonReport {
  std::string a, b;  ///< names of the runs
  Comparison comparison;
};

struct ProgramVersion {
  std::string version, git_commit;
  bool git_dirty = false;
};
/// Of the program that is running.
ProgramVersion program_version();

/// All that a verdict says: verdict.json holds it whole, the terminal shows the most important of
/// it.
struct VerdictReport {
  Verdict verdict = Verdict::kInconclusive;
  std::string case_name, identity;
  std::vector<Check> checks;
  std::vector<RunReport> runs;
  std::vector<RunReport> control_runs;
  std::vector<ComparisonReport> comparisons;
  std::vector<ControlOutcome> controls;
  BaselineReport baseline;
  InferenceReport inference;
  EvaluationReport evaluation;
  StatisticsReport statistics;       ///< of runs that promise no bits
  std::uint64_t controls_seed = 0;   ///< below 2^53
  std::int64_t tensors_covered = 0;  ///< tensors whose digests the lines of one step stand for
  nlohmann::json judgement;          ///< null if no run says how it wants to be judged
  nlohmann::json key;                ///< comparability key; null if no run is intact
  std::string fingerprint;
  bool without_controls = false;
  std::string started, ended;  ///< UTC, ISO 8601
};

/// Single values compared in all pairs together.
std::int64_t comparisons_made(const VerdictReport& report);

/// The object of verdict.json; docs/protocol.md has its fields.
nlohmann::json to_json(const VerdictReport& report);
nlohmann::json to_json(const RunReport& run);
/// An array of {"field","a","b"}.
nlohmann::json differences_json(const std::vector<Difference>& differences);

/// `value` as twinrun prints and stores it: indented, UTF-8 repaired, ending in a line feed.
std::string json_text(const nlohmann::json& value);

}  // namespace twinrun::harness
