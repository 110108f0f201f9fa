#pragma once

#include <cstdint>
#include <filesystem>

namespace twinrun::harness {

/// How many bytes two files have in common at their beginnings, read in windows.
/// Throws std::runtime_error (path and errno text) if one cannot be read.
std::uint64_t common_prefix(const std::filesystem::path& a, const std::filesystem::path& b);

/// The last byte at or before `offset` of `file` at which a line begins.
std::uint64_t line_begin(const std::filesystem::path& file, std::uint64_t offset);

}  // namespace twinrun::harness
