#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace twinrun::harness {

/// A model folder as `twinrun init` sees it.
struct FoundModel {
  std::filesystem::path folder;
  std::int64_t positions = 0;  ///< max_position_embeddings; 0 if it does not say
  std::string chat_template;   ///< chatml | llama3 | mistral by its tokens, or empty
};

/// A data file that the trainer can read.
struct FoundData {
  std::filesystem::path file;
  bool messages = false;     ///< messages, else prompt and response,
  bool alpaca = false;       ///< or instruction and output
  std::int64_t samples = 0;  ///< lines, counted up to 100,000
};

/// Model folders (config.json with a model_type, beside safetensors) and data files (*.jsonl whose
/// first line holds `messages`, `prompt` and `response`, or `instruction` and `output`) below
/// `root`, four folders deep, by path; data with `train` in its name first. Hidden folders are
/// passed over, but for .cache, and so are build folders and what twinrun wrote. Never throws for
/// what cannot be read.
std::vector<FoundModel> find_models(const std::filesystem::path& root);
std::vector<FoundData> find_data(const std::filesystem::path& root);

/// One of them, named by the user. nullopt if it is none.
std::optional<FoundModel> look_at_model(const std::filesystem::path& folder);
std::optional<FoundData> look_at_data(const std::filesystem::path& file);

/// The NVIDIA GPUs that the driver lists in `proc`, by name; empty without one.
std::vector<std::string> find_gpus(const std::filesystem::path& proc = "/proc/driver/nvidia/gpus");

/// The folder of the git repository that `folder` is in; nullopt outside of one.
std::optional<std::filesystem::path> git_root(const std::filesystem::path& folder);

}  // namespace twinrun::harness
