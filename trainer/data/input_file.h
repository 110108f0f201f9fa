#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace twinrun::trainer {

/// Whether `bytes` begin as a Git LFS pointer does: what stands there is not the file but its
/// address.
bool is_lfs_pointer(std::string_view bytes);

/// A whole file. Throws std::runtime_error: the path and what is wrong, for no such file, a folder,
/// one that cannot be read, a Git LFS pointer.
std::string read_input_file(const std::filesystem::path& path);

/// A file that is one JSON object, keys once each. Throws std::runtime_error as read_input_file
/// does, and where it is not such JSON.
nlohmann::json read_json_object(const std::filesystem::path& path);

}  // namespace twinrun::trainer
