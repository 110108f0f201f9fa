#include "trainer/tokenizer/pretokenizer.h"

#include <algorithm>
#include <array>

#include "trainer/tokenizer/unicode.h"
#include "trainer/tokenizer/utf8.h"

namespace twinrun::trainer {
namespace {

using unicode::Kind;

struct Char {
  char32_t code = 0;
  std::size_t length = 0;
  Kind kind = Kind::kOther;
  bool end = false;  // the text ends here, or a digit that stands alone begins
};

// Walks one text. Each function here follows the branches of a regular expression in their order.
template <bool kDigitsAlone>
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  // '(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
  std::size_t gpt2_end(std::size_t begin) const {
    const Char first = at(begin);
    if (first.end) return begin + first.length;
    if (const std::size_t length = contraction(begin, false)) return begin + length;
    std::size_t position = begin;
    Kind kind = first.kind;
    if (first.code == U' ') {
      const Char second = at(begin + 1);
      if (!second.end && second.kind != Kind::kSpace) {
        kind = second.kind;
        ++position;
      }
    }
    return kind == Kind::kSpace ? spaces_end(begin) : run_end(position, kind);
  }

  // kLlama3Pattern
  std::size_t llama3_end(std::size_t begin) const {
    const Char first = at(begin);
    if (const std::size_t length = contraction(begin, true)) return begin + length;
    if (first.kind == Kind::kLetter) return run_end(begin, Kind::kLetter);
    if (first.kind == Kind::kNumber) return run_end(begin, Kind::kNumber, 3);
    const Char second = at(begin + first.length);
    if (!is_newline(first) && second.kind == Kind::kLetter) {
      return run_end(begin + first.length, Kind::kLetter);
    }
    if (first.kind == Kind::kOther) return newlines_end(run_end(begin, Kind::kOther));
    if (first.code == U' ' && !second.end && second.kind == Kind::kOther) {
      return newlines_end(run_end(begin + 1, Kind::kOther));
    }
    const std::size_t end = last_newline_end(begin);
    return end > begin ? end : spaces_end(begin);
  }

 private:
  Char at(std::size_t position) const {
    if (position == text_.size()) return {.end = true};
    const auto [code, length] = utf8_char_at(text_, position);
    return {code, length, unicode::kind_of(code), kDigitsAlone && unicode::is_digit(code)};
  }

  static bool is_newline(const Char& c) { return c.code == U'\r' || c.code == U'\n'; }

  // Bytes of the contraction at `begin`, or 0. Without regard to case U+017F is an s, too.
  std::size_t contraction(std::size_t begin, bool any_case) const {
    if (text_[begin] != '\'') return 0;
    std::array<char, 2> letters{};
    for (std::size_t i = 0; i < letters.size() && begin + 1 + i < text_.size(); ++i) {
      const char letter = text_[begin + 1 + i];
      letters[i] = any_case && letter >= 'A' && letter <= 'Z'
                       ? static_cast<char>(letter - 'A' + 'a')
                       : letter;
    }
    const std::string_view two(letters.data(), letters.size());
    if (std::string_view("stmd").find(two[0]) != std::string_view::npos) return 2;
    if (two == "re" || two == "ve" || two == "ll") return 3;
    return any_case && two == "\u017F" ? 3 : 0;
  }

  // The end of at most `most` characters of `kind` from `position` on.
  std::size_t run_end(std::size_t position, Kind kind, std::size_t most = ~std::size_t{0}) const {
    for (; most > 0; --most) {
      const Char c = at(position);
      if (c.end || c.kind != kind) break;
      position += c.length;
    }
    return position;
  }

  std::size_t newlines_end(std::size_t position) const {
    while (position < text_.size() && (text_[position] == '\r' || text_[position] == '\n')) {
      ++position;
    }
    return position;
  }

  // \s*[\r\n]+: where the last newline of the white space from `begin` on ends, or `begin`.
  std::size_t last_newline_end(std::size_t begin) const {
    std::size_t end = begin;
    for (std::size_t position = begin;;) {
      const Char c = at(position);
      if (c.end || c.kind != Kind::kSpace) return end;
      position += c.length;
      if (is_newline(c)) end = position;
    }
  }

  // \s+(?!\S)|\s+: white space up to the end, or but for the last of several before other things.
  std::size_t spaces_end(std::size_t begin) const {
    std::size_t last = begin;
    for (std::size_t position = begin;;) {
      const Char c = at(position);
      if (c.end) return position;
      if (c.kind != Kind::kSpace) return last > begin ? last : position;
      last = position;
      position += c.length;
    }
  }

  std::string_view text_;
};

template <typename End>
void walk(std::string_view text, const std::function<void(std::string_view)>& piece, End end_of) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = end_of(begin);
    piece(text.substr(begin, end - begin));
    begin = end;
  }
}

}  // namespace

void split(Pretokenizer how, std::string_view text,
           const std::function<void(std::string_view)>& piece) {
  const Scanner<false> scanner(text);
  switch (how) {
    case Pretokenizer::kGpt2:
      return walk(text, piece, [&](std::size_t begin) { return scanner.gpt2_end(begin); });
    case Pretokenizer::kGpt2Digits: {
      const Scanner<true> between_digits(text);
      return walk(text, piece, [&](std::size_t begin) { return between_digits.gpt2_end(begin); });
    }
    case Pretokenizer::kLlama3:
      return walk(text, piece, [&](std::size_t begin) { return scanner.llama3_end(begin); });
  }
}

}  // namespace twinrun::trainer
