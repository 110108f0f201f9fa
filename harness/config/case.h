#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "harness/evaluate/row_clusters.h"
#include "harness/protocol/run_config.h"

namespace twinrun::harness {

/// A case file, read strictly and resolved: defaults filled in, files hashed, paths absolute.
struct ResolvedCase {
  std::string name;
  std::filesystem::path case_file;  ///< absolute
  protocol::RunConfig config;  ///< launch.run, nuisance, inject, stop_after at their neutral values
  std::vector<std::string> command;  ///< the trainer; programs resolved to absolute paths
  bool foreign_trainer = false;      ///< trainer.command was given
  int runs = 2;
  bool controls = true;
  double step_timeout_s = 600;
  RowClusters held_out_rows;  ///< of `evaluation:`; none if there is none
};

struct CaseOptions {
  std::vector<std::string> overrides;  ///< --set KEY=VALUE: dotted path, YAML scalar or flow value
  std::filesystem::path default_trainer;  ///< twinrun-train, used when the case names none
};

/// Reads and resolves `case_file`.
///
/// Throws UsageError, as `FILE:LINE:COLUMN: what is wrong, what to do`: unknown or duplicate key
/// (with the nearest known one), octal-looking integer, anchor or alias, wrong type, value out of
/// range, key that is known but not built yet, file that does not exist or is a Git LFS pointer.
ResolvedCase resolve_case(const std::filesystem::path& case_file, const CaseOptions& options);

/// The configuration of the `seed-plus-one` control: `seed` and every `seeds.*` + 1 (wrapping
/// below 2^53), stopped after step min(2, steps), without evaluation; nothing else of the identity
/// differs.
protocol::RunConfig seed_plus_one(const protocol::RunConfig& config);

/// The word of `known` that is nearest to `word` by edit distance, or empty if none is near.
std::string nearest_word(const std::string& word, const std::vector<std::string>& known);

}  // namespace twinrun::harness
