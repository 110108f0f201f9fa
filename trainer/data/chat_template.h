#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/tokenizer/tokenizer.h"

namespace twinrun::trainer {

/// Begin and end of a turn in template `chatml`: one token each.
inline constexpr const char *kTurnStart = "<|im_start|>", *kTurnEnd = "<|im_end|>";

struct Turn {
  std::string role;  ///< system | user | assistant
  std::string content;
};

/// A sample as text, and which of it is labelled.
struct RenderedSample {
  struct Range {
    std::size_t begin, end;  ///< bytes, end excluded
  };
  std::string text;
  std::vector<Range> labelled;
  std::optional<std::int64_t> end_token_id;  ///< follows the text, labelled
};

/// Template `chatml`: `<|im_start|>ROLE LF CONTENT<|im_end|> LF` a turn, and nothing besides: no
/// system turn unless `turns` has one. Labelled are the contents of assistant turns with their
/// `<|im_end|>`.
RenderedSample render_chatml(std::span<const Turn> turns);

/// The same up to where the assistant begins to speak: what it is asked to go on from.
std::string render_chatml_prompt(std::span<const Turn> turns);

/// Template `text`: prompt, response and the end token, with nothing between. Labelled are the
/// response and the end token.
RenderedSample render_text(std::string_view prompt, std::string_view response,
                           std::int64_t end_token_id);

/// Ids of a sample, and for each whether it is labelled.
struct TokenizedSample {
  std::vector<std::int64_t> ids;
  std::vector<bool> labelled;
};

/// The text is encoded as a whole, as transformers' apply_chat_template does: where a response
/// begins with white space, a token may take in the end of the header before it. A token is
/// labelled iff any of its bytes is. What looks like a special token within a content becomes that
/// token, as there.
TokenizedSample tokenize(const RenderedSample& sample, const Tokenizer& tokenizer);

}  // namespace twinrun::trainer
