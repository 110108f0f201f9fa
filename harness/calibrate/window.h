#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "harness/calibrate/settings.h"

namespace twinrun::harness {

/// Steps that runs are scored on: from the start, or behind a checkpoint of the reference run that
/// was restored, where whatever had grown between two runs is back at nothing (docs/statistics.md).
struct StepWindow {
  std::string name;                  ///< start, restored-150
  std::int64_t restored_from = 0;    ///< step of the checkpoint; 0: none
  std::int64_t first = 1, last = 1;  ///< steps, both included

  std::int64_t length() const { return last - first + 1; }
};

/// The windows of a run of `steps` steps: its first ones, then one a fraction of restore_at. One
/// that would begin within the first window, or at the end of the run, is left out, since it would
/// show nothing that the others do not.
std::vector<StepWindow> windows_of(const StatisticsSettings& settings, std::int64_t steps);

/// What a record holds of a window.
struct WindowCurves {
  std::vector<float> loss, grad_norm;  ///< a value a step
  /// SHA-256, hex: of the state before training, then a step, of what no rounding moves: samples,
  /// batch, numbers of tokens, learning rate, random state.
  std::vector<std::string> discrete;
  std::string chain;  ///< of the last step of the window
};

/// Reads the window from a steps.jsonl that was found whole. Throws std::runtime_error (path, step)
/// if it does not reach that far.
WindowCurves read_window(const std::filesystem::path& steps_file, const StepWindow& window);

}  // namespace twinrun::harness
