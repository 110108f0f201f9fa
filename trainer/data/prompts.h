#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/protocol/record.h"
#include "trainer/tokenizer/tokenizer.h"

namespace twinrun::trainer {

/// What a model is asked to go on from.
struct Prompt {
  protocol::SampleId id;
  std::optional<std::string> text;  ///< rendered; none where the prompt came as ids
  std::vector<std::int64_t> ids;
};

struct PromptOptions {
  std::filesystem::path path;
  std::string template_name;  ///< chatml | text
  std::optional<std::int64_t> end_token_id;
  std::int64_t vocab_size = 0;  ///< of the model
};

/// Reads JSONL: `messages` (the last one not the assistant's), `prompt` or `ids` a line, optional
/// `id` as in a dataset; other keys, such as `category`, are passed over. A text is rendered by the
/// template up to where the assistant begins to speak. `tokenizer` null: only `ids` can be taken.
///
/// Throws DataError (`FILE:LINE: ...`) for a malformed line, a `response` (whose text would be
/// lost), a prompt without tokens, an id outside the vocabulary, and for a file without prompts.
std::vector<Prompt> load_prompts(const PromptOptions& options, const Tokenizer* tokenizer);

/// The token that ends an answer: `<|im_end|>` with template chatml, else `end_token_id`.
std::optional<std::int64_t> stop_token(const PromptOptions& options, const Tokenizer* tokenizer);

}  // namespace twinrun::trainer
