#include "trainer/tokenizer/added_tokens.h"

#include "trainer/tokenizer/unicode.h"
#include "trainer/tokenizer/utf8.h"

namespace twinrun::trainer {
namespace {

bool is_space(char32_t code) { return unicode::kind_of(code) == unicode::Kind::kSpace; }

std::size_t first_byte(std::string_view text, std::size_t position) {
  return static_cast<unsigned char>(text[position]);
}

}  // namespace

std::size_t trailing_space_begin(std::string_view text) {
  std::size_t begin = text.size();
  for (std::size_t position = begin; position > 0;) {
    --position;
    if ((first_byte(text, position) & 0xC0) == 0x80) continue;  // within a character
    if (!is_space(utf8_char_at(text, position).code)) break;
    begin = position;
  }
  return begin;
}

std::size_t leading_space_end(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size()) {
    const auto [code, length] = utf8_char_at(text, end);
    if (!is_space(code)) break;
    end += length;
  }
  return end;
}

void AddedTokenFinder::add(const AddedToken& token) {
  std::vector<AddedToken>& tokens = by_first_byte_[first_byte(token.content, 0)];
  tokens.push_back(token);
  std::ranges::sort(tokens, std::greater{}, [](const AddedToken& t) { return t.content.size(); });
}

const AddedToken* AddedTokenFinder::at(std::string_view text, std::size_t position) const {
  for (const AddedToken& token : by_first_byte_[first_byte(text, position)]) {
    if (text.substr(position).starts_with(token.content)) return &token;
  }
  return nullptr;
}

}  // namespace twinrun::trainer
