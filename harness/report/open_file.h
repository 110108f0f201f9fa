#pragma once

#include <filesystem>
#include <fstream>
#include <string>

namespace twinrun::harness {

/// Opens a file that the caller named.
///
/// hint  what to name instead of a folder: `name the verdict.json in it`
///
/// Throws UsageError, with the name, where it is not there, a folder, no regular file, or not to be
/// read.
std::ifstream open_regular_file(const std::filesystem::path& file, const std::string& hint);

}  // namespace twinrun::harness
