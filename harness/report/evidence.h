#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/compare/compare.h"
#include "harness/report/statistics_evidence.h"
#include "harness/report/verdict_file.h"

namespace twinrun::harness {

/// A run of a verdict and the record that lies beside it now.
struct RunEvidence {
  enum class State {
    kHolds,    ///< the record is there, and it is the one of the verdict
    kUnfit,    ///< there, and as incomplete or damaged as the verdict says
    kMissing,  ///< nothing is there: neither checked nor drawn
    kBroken    ///< there, but not what the verdict was given for
  };
  nlohmann::json stated;  ///< the run's object of the verdict
  std::string name;
  bool control = false;
  State state = State::kMissing;
  std::string problem;  ///< for people; empty where the record holds
  RunView view;         ///< as read now; empty if nothing is there
};

/// holds, unfit, missing, broken: as programs are told it.
std::string to_string(RunEvidence::State state);

struct Evidence {
  std::vector<RunEvidence> runs;  ///< in the order of the verdict, controls last
  nlohmann::json bench;           ///< bench/bench.json beside the verdict; null if there is none
  std::string bench_sha256;       ///< of it
  std::string bench_problem;      ///< why it is there and cannot be read; else empty

  StatisticsEvidence statistics;  ///< empty of runs that promise bits

  /// What does not hold, a sentence each: empty unless a run or the calibration is broken.
  std::vector<std::string> broken() const;
  const RunEvidence* find(const std::string& name) const;
  /// The first run whose record holds; nullptr if none.
  const RunEvidence* first_that_holds() const;
};

/// Reads the records of `verdict` and holds each against what the verdict says of it: the head, and
/// that a run found complete still is. Never throws for what may lie there.
///
/// Also reads what `twinrun bench` left in `bench/`, which no verdict of runs has a digest of.
Evidence read_evidence(const VerdictFile& verdict);

}  // namespace twinrun::harness
