#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/tokenizer/tokenizer.h"

namespace twinrun::trainer {

/// A token that is recognised in the text before anything else.
struct AddedToken {
  std::int64_t id = 0;
  std::string content;
  bool normalized = false;              ///< looked for in a second pass, in normalized text
  bool lstrip = false, rstrip = false;  ///< takes in the white space before it, after it
};

/// Where the white space that `text` ends with begins, and where that which it begins with ends.
std::size_t trailing_space_begin(std::string_view text);
std::size_t leading_space_end(std::string_view text);

/// Added tokens, found leftmost first and longest first.
class AddedTokenFinder {
 public:
  void add(const AddedToken& token);

  /// Calls `on_token` with each token in `text`, and `on_text(begin, end)` for what lies between.
  /// REQUIRES: no token begins with white space if any has rstrip.
  template <typename OnToken, typename OnText>
  void walk(std::string_view text, OnToken on_token, OnText on_text) const {
    std::size_t pending = 0;
    for (std::size_t position = 0; position < text.size();) {
      const AddedToken* token = at(text, position);
      if (!token) {
        ++position;
        continue;
      }
      std::size_t begin = position;
      std::size_t end = position += token->content.size();
      // White space that the token before has taken is not there any more.
      if (token->lstrip) begin = std::max(pending, trailing_space_begin(text.substr(0, begin)));
      if (token->rstrip) end += leading_space_end(text.substr(end));
      if (pending < begin) on_text(pending, begin);
      on_token(EncodedToken{token->id, begin, end});
      pending = end;
    }
    if (pending < text.size()) on_text(pending, text.size());
  }

 private:
  // The token that begins at `position`, or nullptr.
  const AddedToken* at(std::string_view text, std::size_t position) const;

  std::array<std::vector<AddedToken>, 256> by_first_byte_;  // long ones first
};

}  // namespace twinrun::trainer
