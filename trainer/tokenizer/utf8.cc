#include "trainer/tokenizer/utf8.h"

#include <cstdint>

namespace twinrun::trainer {
namespace {

/// How long a character is that `lead` begins, and which bytes may come second; 0: none begins so.
struct Sequence {
  int length = 0;
  unsigned char second_min = 0x80, second_max = 0xBF;
};

// The table of well-formed byte sequences: no overlong form, no surrogate, nothing above U+10FFFF.
Sequence sequence_of(unsigned char lead) {
  if (lead < 0x80) return {1};
  if (lead >= 0xC2 && lead <= 0xDF) return {2};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead >= 0xE1 && lead <= 0xEF) return {3};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead >= 0xF1 && lead <= 0xF3) return {4};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {};
}

// The bytes from `at` that one character takes, or the maximal part that is none.
struct Part {
  std::size_t length = 0;
  bool is_utf8 = false;
};

Part part_at(std::string_view bytes, std::size_t at) {
  const auto sequence = sequence_of(static_cast<unsigned char>(bytes[at]));
  int got = 1;
  for (; got < sequence.length && at + static_cast<std::size_t>(got) < bytes.size(); ++got) {
    const auto byte = static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(got)]);
    const auto low = got == 1 ? sequence.second_min : 0x80;
    const auto high = got == 1 ? sequence.second_max : 0xBF;
    if (byte < low || byte > high) break;
  }
  return {static_cast<std::size_t>(got), got == sequence.length};
}

}  // namespace

std::string utf8_lossy(std::string_view bytes) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size();) {
    const Part part = part_at(bytes, at);
    text += part.is_utf8 ? bytes.substr(at, part.length) : "\xEF\xBF\xBD";
    at += part.length;
  }
  return text;
}

std::optional<std::size_t> first_not_utf8(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const Part part = part_at(bytes, at);
    if (!part.is_utf8) return at;
    at += part.length;
  }
  return std::nullopt;
}

void append_utf8(std::string& text, char32_t code) {
  const auto tail = [&](int shift) { text += static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xC0 | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    text += static_cast<char>(0xE0 | code >> 12);
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xF0 | code >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace twinrun::trainer
