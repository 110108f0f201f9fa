#include "harness/cli/window_runs.h"

#include "harness/calibrate/restored_run.h"
#include "harness/compare/comparability.h"
#include "harness/exit_code.h"
#include "harness/launch/launch.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The case's configuration for a run that nobody will read but for its losses.
protocol::RunConfig short_config(const ResolvedCase& resolved, std::int64_t last_step) {
  protocol::RunConfig config = resolved.config;
  config.launch["stop_after"] = last_step;
  config.launch["checkpoint_every"] = 0;
  config.launch["record"]["tensors_every"] = 0;
  config.launch.erase("inference");
  config.launch.erase("evaluation");
  return config;
}

std::optional<JudgedRun> execute(const RunPlan& plan, const ResolvedCase& resolved) {
  JudgedRun run = execute_run(plan, resolved, /*quiet=*/true);
  if (interrupt_signal() != 0) return std::nullopt;
  if (run.view.verdict != Verdict::kReproduced) {
    throw NoVerdictError("run " + plan.name + " (" + run.outcome + "): " + run.view.problem);
  }
  return run;
}

}  // namespace

std::optional<WindowRun> execute_window(const WindowPlan& plan, const ResolvedCase& resolved) {
  fs::remove_all(plan.dir);
  const bool restored = plan.window.restored_from > 0;
  if (restored) begin_restored_run(plan.reference, plan.window.restored_from, plan.dir);
  auto run = execute({plan.name, fs::absolute(plan.dir), short_config(resolved, plan.window.last),
                      plan.inject, nuisance_of_run(plan.nuisance), restored},
                     resolved);
  if (!run) return std::nullopt;
  WindowCurves curves = read_window(plan.dir / "steps.jsonl", plan.window);
  return WindowRun{std::move(*run), std::move(curves)};
}

std::optional<JudgedRun> execute_reference(const StepWindow& window, const fs::path& dir,
                                           const ResolvedCase& resolved) {
  protocol::RunConfig config = short_config(resolved, window.restored_from);
  config.launch["checkpoint_every"] = window.restored_from;
  return execute({"reference-" + window.name, fs::absolute(dir), config, {}, nuisance_of_run(0)},
                 resolved);
}

fs::path calibration_folder(const ParsedCommand& parsed, const fs::path& case_file) {
  const std::string given = parsed.text("calibration");
  return given.empty() ? case_file.parent_path() / "calibration" : fs::path(given);
}

fs::path restored_folder(const fs::path& folder, const std::string& fingerprint,
                         const StepWindow& window) {
  return folder / (fingerprint + "." + window.name);
}

std::string key_difference(const json& before, const json& now) {
  std::vector<std::string> words;
  for (const Difference& difference : json_differences(before, now)) {
    words.push_back(difference.field + " (" + difference.a.dump() + " and " + difference.b.dump() +
                    ")");
  }
  return list_words(words);
}

}  // namespace twinrun::harness
