#include "trainer/tokenizer/byte_level.h"

#include <array>

namespace twinrun::trainer {
namespace {

constexpr bool stands_for_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

// The other 68 bytes take U+0100, U+0101, ... in ascending order.
constexpr auto make_code_points() {
  std::array<int, 256> code_points{};
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    code_points[static_cast<std::size_t>(byte)] = stands_for_itself(byte) ? byte : next++;
  }
  return code_points;
}
constexpr std::array<int, 256> kCodePoints = make_code_points();

constexpr auto make_bytes() {
  std::array<int, 0x144> bytes{};
  bytes.fill(-1);
  for (int byte = 0; byte < 256; ++byte) {
    bytes[static_cast<std::size_t>(kCodePoints[static_cast<std::size_t>(byte)])] = byte;
  }
  return bytes;
}
constexpr std::array<int, 0x144> kBytes = make_bytes();

}  // namespace

std::optional<std::string> bytes_of_token(std::string_view token) {
  std::string bytes;
  for (std::size_t i = 0; i < token.size(); ++i) {
    unsigned code_point = static_cast<unsigned char>(token[i]);
    if (code_point >= 0x80) {
      // Every character in question has at most two bytes in UTF-8.
      if (code_point < 0xC2 || code_point > 0xDF || i + 1 == token.size()) return std::nullopt;
      const unsigned tail = static_cast<unsigned char>(token[++i]);
      code_point = ((code_point & 0x1F) << 6) | (tail & 0x3F);
    }
    if (code_point >= kBytes.size() || kBytes[code_point] < 0) return std::nullopt;
    bytes += static_cast<char>(kBytes[code_point]);
  }
  return bytes;
}

std::string character_of_byte(unsigned char byte) {
  const int code_point = kCodePoints[byte];
  if (code_point < 0x80) return std::string(1, static_cast<char>(code_point));
  return {static_cast<char>(0xC0 | (code_point >> 6)),
          static_cast<char>(0x80 | (code_point & 0x3F))};
}

}  // namespace twinrun::trainer
