#include "trainer/data/input_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>

#include "harness/protocol/strict_json.h"

namespace twinrun::trainer {

bool is_lfs_pointer(std::string_view bytes) {
  return bytes.starts_with("version https://git-lfs.github.com/spec/");
}

std::string read_input_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    throw std::runtime_error(path.string() + ": is a folder, not a file");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path.string() + ": " + std::strerror(errno));
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) throw std::runtime_error(path.string() + ": cannot be read");
  if (is_lfs_pointer(text)) {
    throw std::runtime_error(path.string() +
                             ": is a Git LFS pointer, not the file itself; run git lfs pull");
  }
  return text;
}

nlohmann::json read_json_object(const std::filesystem::path& path) {
  std::string problem;
  std::optional<nlohmann::json> value = protocol::parse_strict_json(read_input_file(path), problem);
  if (!value) throw std::runtime_error(path.string() + ": " + problem);
  if (!value->is_object()) throw std::runtime_error(path.string() + ": is not a JSON object");
  return std::move(*value);
}

}  // namespace twinrun::trainer
