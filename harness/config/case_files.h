#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "harness/config/yaml_tree.h"

namespace twinrun::harness {

/// `{"<file name>":"<sha256>",...}` of config.json, `*.safetensors` and
/// `*.safetensors.index.json` in `folder`.
///
/// All functions here throw UsageError at `node`, naming the file and what to do: it is missing,
/// cannot be read, is empty, or is a Git LFS pointer instead of the file.
nlohmann::json digest_model_folder(const YamlNode& node, const std::filesystem::path& folder);

/// The same of tokenizer.json, tokenizer.model and tokenizer_config.json, those that exist;
/// `require` demands one of the first two.
nlohmann::json digest_tokenizer(const YamlNode& node, const std::filesystem::path& folder,
                                bool require);

/// The same of a PEFT adapter's two files: adapter_config.json and adapter_model.safetensors.
nlohmann::json digest_adapter_folder(const YamlNode& node, const std::filesystem::path& folder);

/// SHA-256 in hex of one file.
std::string digest_file(const YamlNode& node, const std::filesystem::path& file);

}  // namespace twinrun::harness
