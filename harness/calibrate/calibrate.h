#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "harness/calibrate/calibration_file.h"
#include "harness/calibrate/run_store.h"

namespace twinrun::harness {

/// Why the runs of a calibration cannot make one, for people; empty if they can: a run is missing,
/// they differ in what no rounding moves (run, window and step named), one holds a value that is
/// not finite.
std::string calibration_problem(const RunStore& store, const StatisticsSettings& settings,
                                const std::vector<StepWindow>& windows);

/// The envelope of the first K1 runs and the scores of the K2 behind them. `checkpoints` are the
/// digests of what the windows restore, in their order. REQUIRES: calibration_problem is empty.
Calibration make_calibration(const RunStore& store, const StatisticsSettings& settings,
                             const std::vector<StepWindow>& windows,
                             const std::vector<std::string>& checkpoints);

/// How far a run lies from the centre of an envelope, and where.
struct WindowScore {
  double score = 0;       ///< +infinity if a value is not finite
  std::string window;     ///< start, restored-150
  std::string channel;    ///< loss, grad_norm
  std::string part;       ///< peak, spread, drift: which of the three parts of the score it is
  std::int64_t step = 0;  ///< of the run; where it lies farthest off
};

/// The largest score of all windows and channels. REQUIRES: `curves` are of the windows of
/// `calibration`, in their order and length.
WindowScore score_run(const std::vector<CalibratedWindow>& windows,
                      const std::vector<WindowCurves>& curves);

}  // namespace twinrun::harness
