#pragma once

#include <filesystem>
#include <string>

namespace twinrun::harness {

/// The last 20 lines of a file, at most 4 kB of it, each made `| LINE` and safe to print: control
/// characters replaced, and nothing that a CI system would take for a workflow command. Empty if
/// the file is empty or cannot be read.
std::string stderr_tail(const std::filesystem::path& file);

}  // namespace twinrun::harness
