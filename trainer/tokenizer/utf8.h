#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace twinrun::trainer {

/// `bytes` as UTF-8, U+FFFD in place of each maximal part that is none (Unicode 15, section 3.9,
/// "substitution of maximal subparts"): what decoding tokens that end within a character needs.
std::string utf8_lossy(std::string_view bytes);

/// Where the first part of `bytes` that is no UTF-8 begins.
std::optional<std::size_t> first_not_utf8(std::string_view bytes);

/// A character and the bytes that it takes.
struct Utf8Char {
  char32_t code = 0;
  std::size_t length = 0;
};

/// The character that begins at `position`. REQUIRES: `text` is UTF-8, and one does.
inline Utf8Char utf8_char_at(std::string_view text, std::size_t position) {
  const auto byte = [&](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[position + i]));
  };
  const char32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const auto tail = [&](std::size_t i) { return byte(i) & 0x3F; };
  if (lead < 0xE0) return {(lead & 0x1F) << 6 | tail(1), 2};
  if (lead < 0xF0) return {(lead & 0x0F) << 12 | tail(1) << 6 | tail(2), 3};
  return {(lead & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4};
}

/// REQUIRES: `code` is a Unicode scalar value.
void append_utf8(std::string& text, char32_t code);

}  // namespace twinrun::trainer
