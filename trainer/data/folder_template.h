#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace twinrun::trainer {

/// Throws DataError (file, what to do) where the model folder has a chat template of its own that
/// is not known to give what the built-in `name` gives; a folder without one takes any.
///
/// Equality is known by digest: there is no Jinja here to render with, and a template that merely
/// holds the same tokens may well differ (that of Llama 3.1 adds a date). docs/data.md.
void require_template_of_folder(const std::filesystem::path& model_folder, const std::string& name);

/// The token that the folder's tokenizer puts before every text, as transformers 5 does: the one
/// that the post-processor of its tokenizer.json begins with; without that file `bos_token` of
/// tokenizer_config.json where `add_bos_token` is true. Empty: none. Throws DataError (file) for
/// what is no JSON object.
std::string bos_of_folder(const std::filesystem::path& model_folder);

}  // namespace twinrun::trainer
