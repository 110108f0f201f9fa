#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/calibrate/judge_statistics.h"
#include "harness/report/verdict_file.h"

namespace twinrun::harness {

struct RunEvidence;

/// The calibration and the short runs that a verdict of runs that promise no bits was given by, as
/// they lie beside it now.
struct StatisticsEvidence {
  /// Judged again from them, without the control; nullopt where that could not be done, or is not
  /// what the verdict says.
  std::optional<StatisticsReport> judged;
  nlohmann::json accepted;  ///< of the calibration: {"who","when","why"}; null if not known
  std::string ended;        ///< when the calibration was made; empty if not known
  std::string problem;      ///< for people; empty where all of it holds, or there is nothing
  bool broken = false;      ///< there, but not what the verdict was given by
};

/// `runs` are those of the verdict, read before. Never throws for what may lie there.
StatisticsEvidence read_statistics(const VerdictFile& verdict,
                                   const std::vector<RunEvidence>& runs);

/// The folder of the short run `window` that `run` made, below that of the verdict.
std::filesystem::path window_folder(const std::string& run, const StepWindow& window);

}  // namespace twinrun::harness
