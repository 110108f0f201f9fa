#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace twinrun::trainer {

/// The bytes that a token of a byte-level vocabulary stands for: each of its characters is one
/// byte, printable ones themselves, the others moved to U+0100 and above, as GPT-2 does. nullopt if
/// a character is none of the 256.
std::optional<std::string> bytes_of_token(std::string_view token);

/// The character (UTF-8) that stands for `byte`: the inverse of bytes_of_token for one byte.
std::string character_of_byte(unsigned char byte);

}  // namespace twinrun::trainer
