#include "harness/cli/init_find.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kDepthMax = 4;
constexpr std::int64_t kSamplesMax = 100000;
constexpr std::size_t kLineMax = 16U << 20;
constexpr std::array kPassedOver = {"build",  "node_modules", "twinrun-out",
                                    "curves", "venv",         "__pycache__"};

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

json read_object(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return nullptr;
  json value = json::parse(read_text(path), nullptr, false);
  return value.is_object() ? value : json();
}

bool passed_over(const fs::path& folder) {
  const std::string name = folder.filename().string();
  if (name.starts_with('.')) return name != ".cache";
  return std::find(kPassedOver.begin(), kPassedOver.end(), name) != kPassedOver.end();
}

/// Files and folders below `root`, by path.
std::vector<fs::path> walk(const fs::path& root) {
  std::vector<fs::path> found;
  std::error_code error;
  auto at = fs::recursive_directory_iterator(root,
                                             fs::directory_options::skip_permission_denied |
                                                 fs::directory_options::follow_directory_symlink,
                                             error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    std::error_code ignored;
    const bool folder = at->is_directory(ignored);
    if (folder && (at.depth() >= kDepthMax || passed_over(at->path()))) {
      at.disable_recursion_pending();
      if (passed_over(at->path())) continue;
    }
    found.push_back(at->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool has_weights(const fs::path& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("model") && name.ends_with(".safetensors")) return true;
    if (name == "model.safetensors.index.json") return true;
  }
  return false;
}

/// By what the tokenizer's files hold; the trainer looks closer.
std::string guess_chat_template(const fs::path& folder, const json& model_type) {
  std::string text;
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}) {
    text += read_text(folder / name);
  }
  const auto holds = [&](const char* token) { return text.find(token) != std::string::npos; };
  if (holds("<|im_start|>")) return "chatml";
  if (holds("<|start_header_id|>")) return "llama3";
  return model_type == "mistral" && holds("[INST]") ? "mistral" : "";
}

}  // namespace

std::optional<FoundModel> look_at_model(const fs::path& folder) {
  const json config = read_object(folder / "config.json");
  if (config.is_null() || !config.contains("model_type") || !has_weights(folder)) {
    return std::nullopt;
  }
  FoundModel model;
  model.folder = folder;
  const auto positions = config.find("max_position_embeddings");
  if (positions != config.end() && positions->is_number_integer()) {
    model.positions = positions->get<std::int64_t>();
  }
  model.chat_template = guess_chat_template(folder, config["model_type"]);
  return model;
}

std::optional<FoundData> look_at_data(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  FoundData data;
  data.file = path;
  for (std::string line; data.samples < kSamplesMax && std::getline(file, line);) {
    if (data.samples++ > 0) continue;
    const json first =
        line.size() > kLineMax ? json() : json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!first.is_object()) return std::nullopt;
    data.messages = first.contains("messages");
    data.alpaca = !data.messages && first.contains("instruction") && first.contains("output");
    const bool text = first.contains("prompt") && first.contains("response");
    if (!data.messages && !data.alpaca && !text) return std::nullopt;
  }
  if (data.samples == 0) return std::nullopt;
  return data;
}

std::vector<FoundModel> find_models(const fs::path& root) {
  std::vector<FoundModel> found;
  std::error_code ignored;
  if (const auto here = look_at_model(root)) found.push_back(*here);
  for (const fs::path& path : walk(root)) {
    if (!fs::is_directory(path, ignored)) continue;
    if (const auto model = look_at_model(path)) found.push_back(*model);
  }
  return found;
}

std::vector<FoundData> find_data(const fs::path& root) {
  std::vector<FoundData> found;
  for (const fs::path& path : walk(root)) {
    if (path.extension() != ".jsonl") continue;
    if (const auto data = look_at_data(path)) found.push_back(*data);
  }
  std::stable_partition(found.begin(), found.end(), [](const FoundData& data) {
    return data.file.filename().string().find("train") != std::string::npos;
  });
  return found;
}

std::vector<std::string> find_gpus(const fs::path& proc) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(proc, error)) {
    std::ifstream file(entry.path() / "information");
    for (std::string line; std::getline(file, line);) {
      const std::string label = "Model:";
      if (!line.starts_with(label)) continue;
      const std::size_t begin = line.find_first_not_of(" \t", label.size());
      names.push_back(begin == std::string::npos ? "unnamed" : line.substr(begin));
    }
  }
  return names;
}

std::optional<fs::path> git_root(const fs::path& folder) {
  std::error_code ignored;
  for (fs::path at = fs::weakly_canonical(folder, ignored);; at = at.parent_path()) {
    if (fs::exists(at / ".git", ignored)) return at;
    if (at == at.parent_path()) return std::nullopt;
  }
}

}  // namespace twinrun::harness
