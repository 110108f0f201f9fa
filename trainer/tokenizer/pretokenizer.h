#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace twinrun::trainer {

/// How text is cut into the pieces that byte pairs are merged within.
enum class Pretokenizer {
  kGpt2,        ///< ByteLevel alone
  kGpt2Digits,  ///< Digits(individual_digits), then ByteLevel: SmolLM2
  kLlama3,      ///< Split by kLlama3Pattern, then ByteLevel without its pattern
};

/// The regular expression of Llama 3's tokenizer.json; the scanner does what it means.
inline constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// Calls `piece` with each piece in order; together they are `text`. REQUIRES: `text` is UTF-8.
void split(Pretokenizer how, std::string_view text,
           const std::function<void(std::string_view)>& piece);

}  // namespace twinrun::trainer
