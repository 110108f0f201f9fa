#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/tokenizer/tokenizer.h"

namespace twinrun::trainer {

/// What is wrong with a line of data; read_json_lines says which line.
struct LineError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Turn {
  std::string role;  ///< system | user | assistant
  std::string content;
};

/// A sample as text, and which of it is labelled.
struct RenderedSample {
  struct Range {
    std::size_t begin, end;  ///< bytes, end excluded
  };
  /// Precedes the text, not labelled. As text it would take the space from SentencePiece's first
  /// word.
  std::optional<std::int64_t> begin_token_id;
  std::string text;
  std::vector<Range> labelled;
  std::optional<std::int64_t> end_token_id;  ///< follows the text, labelled
};

/// A template of conversations; docs/data.md has the texts.
struct ChatTemplate {
  std::string_view name;
  std::vector<std::string_view> tokens;  ///< what the tokenizer has to have, one token each
  std::string_view turn_end;             ///< the one of them that ends a turn of the assistant
  /// Labelled are the contents of assistant turns with their `turn_end`. Throws LineError where the
  /// template does not take these roles in this order.
  RenderedSample (*render)(std::span<const Turn> turns);
  /// What follows the turns where the assistant is to speak next.
  std::string_view generation;
};

/// `chatml`, `llama3` or `mistral`; nullptr for another name.
const ChatTemplate* find_chat_template(std::string_view name);

/// Template `text`: prompt, response and the end token, with nothing between. Labelled are the
/// response and the end token; `prompt` may have a begin token.
RenderedSample render_text(RenderedSample prompt, std::string_view response,
                           std::int64_t end_token_id);

/// Template `alpaca` up to the response; an empty `input` has no section of its own.
std::string alpaca_prompt(std::string_view instruction, std::string_view input);

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
