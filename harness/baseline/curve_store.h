#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace twinrun::harness {

/// Puts `record` and `description` in the place of the curve `file`, both or neither.
///
/// The record is written as unfinished_of(file), then the description replaces the old one: that is
/// the moment at which the new curve stands. Then the record takes its place. Whoever reads in
/// between, also after a kill, finds by read_curve the old curve or the new one. REQUIRES: the
/// folder is locked, or `file` is of nobody else's.
///
/// Throws std::runtime_error (path and errno text); then what stood before stands.
void install_curve(const std::filesystem::path& file, const std::string& record,
                   const nlohmann::json& description);

/// Finishes an install_curve(file, ...) that was killed behind that moment, and removes what one
/// that was killed before it left.
void settle_curve(const std::filesystem::path& file);

/// Removes the curve `file`, its description first, so that no half of it looks like a whole one.
/// Throws std::runtime_error.
void remove_curve(const std::filesystem::path& file);

/// The curves, pending ones and halves of either in `folder`, by name. Empty if there is none or
/// the folder cannot be read.
std::vector<std::filesystem::path> curves_in(const std::filesystem::path& folder);

}  // namespace twinrun::harness
