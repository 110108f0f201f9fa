#include "harness/config/case_files.h"

#include <fstream>
#include <string_view>
#include <system_error>

#include "harness/protocol/sha256.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;

bool is_lfs_pointer(const fs::path& file) {
  constexpr std::string_view kFirstLine = "version https://git-lfs.github.com/spec/";
  std::string start(kFirstLine.size(), '\0');
  std::ifstream stream(file, std::ios::binary);
  stream.read(start.data(), static_cast<std::streamsize>(start.size()));
  return stream.gcount() == static_cast<std::streamsize>(start.size()) && start == kFirstLine;
}

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

std::string digest_file(const YamlNode& node, const fs::path& file) {
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (status.type() == fs::file_type::not_found) {
    const bool broken_link = fs::is_symlink(file, error);
    fail_at(node, broken_link ? file.string() + ": a link that leads nowhere: restore its target"
                              : "no such file: " + file.string());
  }
  if (status.type() != fs::file_type::regular) {
    fail_at(node, file.string() + ": not a regular file");
  }
  const std::uintmax_t bytes = fs::file_size(file, error);
  if (error) fail_at(node, file.string() + ": " + error.message());
  if (bytes == 0) fail_at(node, file.string() + ": is empty: fetch or write it again");
  if (is_lfs_pointer(file)) {
    fail_at(node, file.string() +
                      ": is a Git LFS pointer, not the file itself: run `git lfs pull` in its "
                      "repository");
  }
  try {
    return protocol::to_hex(protocol::sha256_file(file));
  } catch (const std::runtime_error& failure) {
    fail_at(node, failure.what());
  }
}

nlohmann::json digest_model_folder(const YamlNode& node, const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder, error)) {
    fail_at(node, "no such folder: " + folder.string() +
                      ": fetch the model first, or correct the path (relative to the case file)");
  }
  if (!fs::is_directory(folder, error)) {
    fail_at(node, folder.string() + ": not a folder: name the folder that holds config.json");
  }
  if (!fs::exists(folder / "config.json", error)) {
    fail_at(node, folder.string() + ": holds no config.json: name a Hugging Face model folder");
  }
  nlohmann::json files = nlohmann::json::object();
  bool weights = false;
  fs::directory_iterator entries(folder, error);
  if (error) fail_at(node, folder.string() + ": " + error.message());
  for (const fs::directory_entry& entry : entries) {
    const std::string file = entry.path().filename().string();
    const bool shard = ends_with(file, ".safetensors");
    if (!shard && file != "config.json" && !ends_with(file, ".safetensors.index.json")) continue;
    files[file] = digest_file(node, entry.path());
    weights = weights || shard;
  }
  if (!weights) {
    fail_at(node, folder.string() + ": holds no *.safetensors: fetch the weights as safetensors");
  }
  return files;
}

nlohmann::json digest_adapter_folder(const YamlNode& node, const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    fail_at(node, folder.string() +
                      ": no such folder: name the one that PEFT or twinrun saved an "
                      "adapter in");
  }
  nlohmann::json files = nlohmann::json::object();
  for (const char* name : {"adapter_config.json", "adapter_model.safetensors"}) {
    files[name] = digest_file(node, folder / name);
  }
  return files;
}

nlohmann::json digest_tokenizer(const YamlNode& node, const fs::path& folder, bool require) {
  nlohmann::json files = nlohmann::json::object();
  for (const char* name : {"tokenizer.json", "tokenizer.model", "tokenizer_config.json"}) {
    std::error_code error;
    const fs::path file = folder / name;
    if (fs::exists(fs::symlink_status(file, error))) files[name] = digest_file(node, file);
  }
  if (require && !files.contains("tokenizer.json") && !files.contains("tokenizer.model")) {
    fail_at(node, folder.string() +
                      ": holds neither a tokenizer.json nor a tokenizer.model, and data.path needs "
                      "one of them");
  }
  return files;
}

}  // namespace twinrun::harness
