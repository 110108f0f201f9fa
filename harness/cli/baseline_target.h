#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace twinrun::harness {

/// What a `twinrun baseline` command was pointed at.
struct BaselineTarget {
  std::filesystem::path folder;                    ///< of the curves; need not exist
  std::optional<std::filesystem::path> case_file;  ///< if a case was named or found
  std::optional<std::filesystem::path> pending;    ///< if one pending curve was named
};

/// Reads CASE.yaml (then `curves` beside it), the folder of the curves, or a pending curve by one
/// of its two files; without an operand the case is looked for as find_case does.
///
/// Throws UsageError for what is none of these, naming it.
BaselineTarget baseline_target(const std::vector<std::string>& operands);

/// The pending curves of `folder`, by name.
std::vector<std::filesystem::path> pending_in(const std::filesystem::path& folder);

/// The one pending curve that is meant. Throws UsageError if there is none or, with their names,
/// if there are several.
std::filesystem::path the_pending(const BaselineTarget& target);

/// The identity digest of the case as it stands, model and data hashed; nullopt without a case.
/// Throws UsageError as resolve_case does.
std::optional<std::string> identity_of(const BaselineTarget& target);

/// Who is at work: `Name <address>` of git's configuration in `folder`; empty if it has none.
std::string git_user(const std::filesystem::path& folder);

/// Whether this is a pipeline: CI is set, and neither empty nor `0` nor `false`.
bool in_pipeline();

}  // namespace twinrun::harness
