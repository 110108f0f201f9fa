#pragma once

#include <filesystem>
#include <optional>

#include "harness/protocol/run_config.h"

namespace twinrun::trainer {

/// What the command line says. REQUIRES: prompts or reference; nothing is taken from the
/// configuration in their place.
struct InferOptions {
  std::filesystem::path run_dir;
  std::optional<std::filesystem::path> adapter;  ///< folder; default: `adapter` of run_dir
  bool base_model = false;                       ///< `--adapter none`: as initialised, B = 0
  std::optional<std::filesystem::path> prompts, reference;
};

/// Answers prompts greedily and writes `run_dir`/inference.jsonl: docs/protocol.md section 10. With
/// a reference its tokens are forced, too; without a prompts file its prompts are answered. A
/// manifest.json of the run names the file from then on.
///
/// Returns the exit code, 0, 2 or 3, with the message as the last line of stderr. What is refused
/// (2) leaves the run folder as it was; a write that fails (3) may leave an inference.jsonl, the
/// old or the new one, that the manifest does not name.
int run_inference(const protocol::RunConfig& config, const InferOptions& options);

}  // namespace twinrun::trainer
