#include "harness/cli/resolve.h"

#include "harness/cli/workspace.h"
#include "harness/exit_code.h"

namespace twinrun::harness {

ResolvedCase resolve_for_run(const std::filesystem::path& case_file,
                             const std::vector<std::string>& overrides,
                             const std::string& trainer) {
  CaseOptions options;
  options.overrides = overrides;
  options.default_trainer = find_trainer(trainer);
  ResolvedCase resolved = resolve_case(case_file, options);
  if (resolved.foreign_trainer && !trainer.empty()) {
    throw UsageError("--trainer: " + case_file.string() +
                     " names a trainer of its own (trainer.command)");
  }
  if (!resolved.foreign_trainer && options.default_trainer.empty()) {
    throw UsageError(
        "no twinrun-train beside twinrun or in PATH; build it (preset release), name one with "
        "--trainer, or give the case a trainer.command");
  }
  return resolved;
}

std::int64_t planned_steps(const protocol::RunConfig& config) {
  const auto stop_after = config.launch.find("stop_after");
  if (stop_after != config.launch.end() && stop_after->is_number_integer()) {
    return stop_after->get<std::int64_t>();
  }
  return config.identity.at("train").at("steps").get<std::int64_t>();
}

}  // namespace twinrun::harness
