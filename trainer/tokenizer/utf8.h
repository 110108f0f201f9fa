#pragma once

#include <string>
#include <string_view>

namespace twinrun::trainer {

/// `bytes` as UTF-8, U+FFFD in place of each maximal part that is none (Unicode 15, section 3.9,
/// "substitution of maximal subparts"): what decoding tokens that end within a character needs.
std::string utf8_lossy(std::string_view bytes);

}  // namespace twinrun::trainer
