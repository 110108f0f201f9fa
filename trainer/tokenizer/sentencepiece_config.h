#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "trainer/tokenizer/added_tokens.h"

namespace twinrun::trainer {

/// Before which pieces of text SentencePiece's space is put.
enum class PrefixSpace { kFirst, kEach, kNone };

/// What the JSON files beside a tokenizer.model say.
struct SentencePieceConfig {
  PrefixSpace prefix = PrefixSpace::kFirst;
  std::vector<AddedToken> added_tokens;
};

/// Reads `legacy`, `add_prefix_space` and `added_tokens_decoder` of the tokenizer_config.json in
/// `folder`, if there is one; tokens of `special` that it does not list are added, too. `pieces`
/// are the model's, by id.
///
/// Throws TokenizerError (file, field): two tokens of one id or two ids of one, what is not built,
/// and an added_tokens.json or a tokenizer.json with other tokens.
SentencePieceConfig read_sentencepiece_config(const std::filesystem::path& folder,
                                              std::span<const std::string> pieces,
                                              std::span<const AddedToken> special);

}  // namespace twinrun::trainer
