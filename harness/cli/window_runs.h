#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/calibrate/window.h"
#include "harness/cli/execute.h"
#include "harness/cli/options.h"

namespace twinrun::harness {

/// A short run of one window, as calibrate and verify start it.
struct WindowPlan {
  std::string name;  ///< of the run
  StepWindow window;
  std::filesystem::path dir;        ///< of the run; emptied first
  std::filesystem::path reference;  ///< of the checkpoint, of a window that restores one
  int nuisance = 0;                 ///< index, as of nuisance_of_run
  std::vector<std::string> inject;  ///< KIND@STEP
};

struct WindowRun {
  JudgedRun run;
  WindowCurves curves;
};

/// Runs the window and reads it. nullopt if the judge was interrupted. Throws NoVerdictError if the
/// run did not come to its end, UsageError as execute_run.
std::optional<WindowRun> execute_window(const WindowPlan& plan, const ResolvedCase& resolved);

/// Runs in `dir` the reference run up to the step that `window` restores, with a checkpoint there.
/// nullopt and errors as above.
std::optional<JudgedRun> execute_reference(const StepWindow& window, const std::filesystem::path& dir,
                                           const ResolvedCase& resolved);

/// --calibration, or the folder calibration beside the case.
std::filesystem::path calibration_folder(const ParsedCommand& parsed,
                                         const std::filesystem::path& case_file);

/// Where the checkpoint that `window` restores lies in that folder.
std::filesystem::path restored_folder(const std::filesystem::path& folder,
                                      const std::string& fingerprint, const StepWindow& window);

/// The fields in which two keys differ, with their values, for people.
std::string key_difference(const nlohmann::json& before, const nlohmann::json& now);

}  // namespace twinrun::harness
