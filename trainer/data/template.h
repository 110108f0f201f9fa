#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "trainer/data/chat_template.h"

namespace twinrun::trainer {

/// `data.template` and what it needs to know of the model.
struct TemplateOptions {
  std::string name;  ///< chatml | llama3 | mistral | alpaca | text
  /// eos_token_id of the model's config.json: what `alpaca` and `text` end a sample with.
  std::optional<std::int64_t> end_token_id;
  std::filesystem::path model_folder;
};

/// How a line of data becomes text. docs/data.md has the fields and texts of each template.
class Template {
 public:
  /// Throws DataError for an unknown name, for tokens that the tokenizer lacks, and where the
  /// model's own chat template is another.
  Template(const TemplateOptions& options, const Tokenizer& tokenizer);
  /// Throws LineError for fields that are missing or of another template, and roles that do not
  /// fit.
  RenderedSample sample(const nlohmann::json& object) const;
  /// A line without its answer, up to where the assistant begins to speak; nothing is labelled.
  /// REQUIRES: protocol::prompt_fields_problem finds nothing, and the line has no `ids`.
  RenderedSample prompt(const nlohmann::json& object) const;
  /// As begin_token().
  const std::string& begin_token() const { return bos_; }

 private:
  /// `prompt` with the begin token's id, unless it begins with that token.
  RenderedSample begun(std::string prompt) const;

  TemplateOptions options_;
  const ChatTemplate* chat_;  ///< nullptr for alpaca and text
  std::string bos_;
  std::int64_t bos_id_ = 0;  ///< of no meaning where bos_ is empty
};

/// The token that `alpaca` and `text` put before a text which does not begin with it. Empty for the
/// chat templates, and where the tokenizer puts none first.
std::string begin_token(const TemplateOptions& options);

/// The token that ends an answer: the one that ends a turn of a chat template, else
/// `end_token_id`, which is also that of a model without tokenizer.
std::optional<std::int64_t> stop_token(const TemplateOptions& options, const Tokenizer* tokenizer);

}  // namespace twinrun::trainer
