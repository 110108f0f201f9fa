#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/protocol/record.h"
#include "trainer/data/template.h"
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

}  // namespace twinrun::trainer
