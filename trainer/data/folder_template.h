#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace twinrun::trainer {

/// A chat template as models have it that gives the same as a built-in one.
struct KnownTemplate {
  /// Of its text with `\n` as a line feed and without one at the end, which Jinja drops.
  std::string_view sha256;
  std::string_view name;  ///< of the built-in one
  /// What the built-in one has where this one writes bos_token, eos_token; empty where it does not.
  std::string_view bos, eos;
};

/// All of them.
std::span<const KnownTemplate> known_templates();

/// Throws DataError (file, what to do) where the model folder has a chat template of its own that
/// is not known to give what the built-in `name` gives, or names another bos_token or eos_token
/// where that counts; a folder without a template takes any.
///
/// Equality is known by digest: there is no Jinja here to render with, and a template that merely
/// holds the same tokens may well differ (that of Llama 3.1 adds a date). docs/data.md.
void require_template_of_folder(const std::filesystem::path& model_folder, const std::string& name,
                                std::span<const KnownTemplate> templates = known_templates());

/// The token that the folder's tokenizer puts before every text, as transformers 5 does: the one
/// that the post-processor of its tokenizer.json begins with; without that file `bos_token` of
/// tokenizer_config.json where `add_bos_token` is true. Empty: none. Throws DataError (file) for
/// what is no JSON object.
std::string bos_of_folder(const std::filesystem::path& model_folder);

}  // namespace twinrun::trainer
