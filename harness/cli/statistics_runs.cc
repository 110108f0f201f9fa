#include "harness/cli/statistics_runs.h"

#include <iostream>

#include "harness/calibrate/restored_run.h"
#include "harness/cli/window_runs.h"
#include "harness/exit_code.h"
#include "harness/launch/launch.h"
#include "harness/protocol/append_file.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;

/// Whether the checkpoint that `calibrated` restores lies in `reference`, unchanged.
bool checkpoint_there(const fs::path& reference, const CalibratedWindow& calibrated) {
  const std::int64_t step = calibrated.window.restored_from;
  if (!fs::exists(checkpoint_folder(reference, step) / "checkpoint.json")) return false;
  return checkpoint_digest(reference, step) == calibrated.checkpoint;
}

}  // namespace

void run_windows(const ResolvedCase& resolved, const fs::path& calibrations, const fs::path& base,
                 const std::vector<JudgedRun>& runs,
                 const std::vector<std::vector<std::string>>& faults, bool quiet) {
  const std::string name = fingerprint(comparability_key(runs.front().view));
  const fs::path file = calibration_file(calibrations, name);
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return;
  const fs::path copy = calibration_file(base / kCalibrationFolder, name);
  fs::create_directories(copy.parent_path());
  protocol::write_file_atomically(copy, protocol::read_file(file));
  const auto read = read_calibration(copy);
  const auto* calibration = std::get_if<Calibration>(&read);
  if (calibration == nullptr) return;
  for (const CalibratedWindow& calibrated : calibration->windows) {
    const StepWindow& window = calibrated.window;
    const fs::path reference = restored_folder(calibrations, name, window);
    if (window.restored_from == 0 || !checkpoint_there(reference, calibrated)) continue;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      if (!quiet) std::cerr << "twinrun: run " << runs[i].name << ", " << window.name << "\n";
      const std::string run = window_run_name(runs[i].name, window);
      try {
        const auto done = execute_window({run, window, base / kWindowsFolder / run, reference,
                                          static_cast<int>(i), faults.at(i)},
                                         resolved);
        if (!done) return;
      } catch (const NoVerdictError&) {
        // What it left is there for the verdict to name.
      }
    }
  }
}

StatisticsInput statistics_input(const fs::path& folder, const std::vector<JudgedRun>& runs,
                                 const RunView* control) {
  StatisticsInput input;
  const std::string name = fingerprint(comparability_key(runs.front().view));
  input.calibration = calibration_file(folder / kCalibrationFolder, name);
  for (const JudgedRun& run : runs) {
    input.candidates.push_back({run.name, &run.view, folder / kWindowsFolder});
  }
  input.control = control;
  return input;
}

}  // namespace twinrun::harness
