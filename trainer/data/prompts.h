#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/protocol/record.h"
#include "trainer/data/template.h"
#include "trainer/tokenizer/tokenizer.h"

namespace twinrun::trainer {

/// What a model is asked to go on from.
struct Prompt {
  protocol::SampleId id;
  /// Rendered, the begin token included; none where the prompt came as ids.
  std::optional<std::string> text;
  std::vector<std::int64_t> ids;
};

struct PromptOptions {
  std::filesystem::path path;
  TemplateOptions rendering;
  std::int64_t vocab_size = 0;  ///< of the model
};

/// Reads JSONL: a line has `ids`, or what the template takes without the answer (`messages`, the
/// last one not the assistant's, or `prompt`; with alpaca `instruction` and `input`), optional
/// `id` as in a dataset; other keys, such as `category`, are passed over. A text is rendered by the
/// template up to where the assistant begins to speak. `tokenizer` null: only `ids` can be taken.
///
/// Throws DataError (`FILE:LINE: ...`) for a malformed line, an answer (whose text would be lost),
/// a prompt without tokens, an id outside the vocabulary, and for a file without prompts.
std::vector<Prompt> load_prompts(const PromptOptions& options, const Tokenizer* tokenizer);

/// Whether `ids` are those of a Prompt's `text`: encoded as a whole, or the id of `begin_token`
/// (begin_token() of the template; empty for none) and then those of what follows it.
bool are_ids_of(std::string_view text, const std::vector<std::int64_t>& ids,
                std::string_view begin_token, const Tokenizer& tokenizer);

}  // namespace twinrun::trainer
