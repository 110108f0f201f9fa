#pragma once

#include <filesystem>

#include "harness/protocol/run_config.h"

namespace twinrun::trainer {

/// One training run as docs/protocol.md section 1 asks for: writes `run_dir`/manifest.json, the
/// record, checkpoints and the adapter; with `resume` it continues the run that is there (section
/// 8). Returns the exit code: 0 complete, 2 usage_error, 3 failed; the message is in the manifest
/// and on stderr.
///
/// Throws, with nothing touched, protocol::ResumeRefused for a run that cannot be continued at all
/// (Manifest::resume) or where another trainer is at work, and std::runtime_error if the manifest
/// itself cannot be written.
int run_training(const protocol::RunConfig& config, const std::filesystem::path& run_dir,
                 bool resume);

}  // namespace twinrun::trainer
