#pragma once

#include <filesystem>
#include <string>

#include "harness/protocol/run_config.h"

namespace twinrun::harness {

/// The configuration with which the run in `run_dir` goes on: `config`, as the case gives it now,
/// but with the run's own name and `launch.stop_after`.
///
/// Throws UsageError, having touched nothing: there is no run, it is complete, its identity or
/// `launch.record` is not that of `config` (what differs is named), a file of it cannot be read.
protocol::RunConfig config_to_resume(const protocol::RunConfig& config,
                                     const std::filesystem::path& run_dir);

}  // namespace twinrun::harness
