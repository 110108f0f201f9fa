#pragma once

#include <filesystem>
#include <string>

namespace twinrun::trainer {

/// Throws ConfigError where `run_dir` holds a manifest.json that cannot be read or is of another
/// identity.
void require_same_run(const std::filesystem::path& run_dir, const std::string& identity);

/// Replaces `run_dir`/inference.jsonl and names it in the manifest that is there, if any. Killed in
/// between, the manifest names no such file, rather than one that it does not describe.
///
/// REQUIRES: require_same_run. Throws std::runtime_error if something cannot be written.
void write_inference(const std::filesystem::path& run_dir, const std::string& text);

}  // namespace twinrun::trainer
