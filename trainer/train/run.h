#pragma once

#include <filesystem>

#include "harness/protocol/run_config.h"

namespace twinrun::trainer {

/// One training run as docs/protocol.md section 1 asks for: writes `run_dir`/manifest.json, the
/// record and the adapter. Returns the exit code: 0 complete, 2 usage_error, 3 failed; the message
/// is in the manifest and on stderr. Throws only if the manifest itself cannot be written.
int run_training(const protocol::RunConfig& config, const std::filesystem::path& run_dir);

}  // namespace twinrun::trainer
