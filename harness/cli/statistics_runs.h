#pragma once

#include <filesystem>
#include <vector>

#include "harness/cli/judge.h"
#include "harness/config/case.h"

namespace twinrun::harness {

/// Copies the calibration of the runs' key from `calibrations` to `base`/calibration, and makes
/// each run's short runs of the windows that it restores, in `base`/windows, so that judge() finds
/// all that it needs. Without such a calibration, or where it is damaged, or where the checkpoint
/// of a window is not beside it, the verdict will say so. Stops early when interrupted.
///
/// faults  KIND@STEP of each run, in their order
void run_windows(const ResolvedCase& resolved, const std::filesystem::path& calibrations,
                 const std::filesystem::path& base, const std::vector<JudgedRun>& runs,
                 const std::vector<std::vector<std::string>>& faults, bool quiet);

/// What judge() makes the statistical verdict from: `folder` is that of the verdict. REQUIRES:
/// there are runs; they outlive the result.
StatisticsInput statistics_input(const std::filesystem::path& folder,
                                 const std::vector<JudgedRun>& runs, const RunView* control);

}  // namespace twinrun::harness
