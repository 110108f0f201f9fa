#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "harness/config/case.h"

namespace twinrun::harness {

/// resolve_case with the trainer found: `trainer` as given by --trainer, or empty.
///
/// Throws UsageError as resolve_case does, if there is no twinrun-train for a case that needs one,
/// and if --trainer is given for a case that names its own command.
ResolvedCase resolve_for_run(const std::filesystem::path& case_file,
                             const std::vector<std::string>& overrides, const std::string& trainer);

/// Steps that a run of `config` takes: launch.stop_after, or else identity.train.steps.
std::int64_t planned_steps(const protocol::RunConfig& config);

}  // namespace twinrun::harness
