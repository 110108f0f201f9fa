#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace twinrun::trainer::unicode {

/// What the `tokenizers` package takes a code point for (unicode_tables.h).
enum class Kind : std::uint8_t { kOther, kLetter, kNumber, kSpace };

/// What `\p{L}`, `\p{N}` and `\s` are to its regular expressions; no code point is two of them.
Kind kind_of(char32_t code);

/// Whether its Digits cuts `code` out: \p{N} of another Unicode version.
bool is_digit(char32_t code);

/// Text in normalization form C, and where each of its bytes comes from.
struct Nfc {
  std::string text;
  /// Bytes of the original, [begin, end), that byte i of `text` stands for: where NFC changed some
  /// characters together, all of them. Empty where it changed nothing.
  std::vector<std::size_t> begin, end;
};

/// NFC as the package's normalizer of that name has it, which knows an older Unicode than its
/// regular expressions. REQUIRES: `text` is UTF-8. Unicode Standard Annex 15.
Nfc to_nfc(std::string_view text);

}  // namespace twinrun::trainer::unicode
