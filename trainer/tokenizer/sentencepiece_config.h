#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "trainer/tokenizer/added_tokens.h"

namespace twinrun::trainer {

/// Before which pieces of text SentencePiece's space is put.
enum class PrefixSpace {
  kNone,
  kFirst,   ///< the first, where the text begins with it, unless it begins with a space
  kEach,    ///< each that does not begin with a space
  kAlways,  ///< each
};

/// What the JSON files beside a tokenizer.model say.
struct SentencePieceConfig {
  PrefixSpace prefix = PrefixSpace::kNone;
  std::vector<AddedToken> added_tokens;
};

/// Reads what the JSON files in `folder` say, as transformers 5 does, those that are there.
///
///   prefix        tokenizer_class of tokenizer_config.json is Llama's, model_type of config.json
///                 not `mistral`: its `legacy` (kEach; default false: kFirst), kNone with
///                 `add_prefix_space` false. Else tokenizer.json's normalizer and pre_tokenizer;
///                 kNone without that file.
///   added_tokens  added_tokens_decoder of tokenizer_config.json, and of `special`, tokens of the
///                 model, those that it does not list
///
/// `pieces` are the model's, by id. Throws TokenizerError (file, field): two tokens of one id or
/// two ids of one, what is not built, and an added_tokens.json or a tokenizer.json with other
/// tokens.
SentencePieceConfig read_sentencepiece_config(const std::filesystem::path& folder,
                                              std::span<const std::string> pieces,
                                              std::span<const AddedToken> special);

}  // namespace twinrun::trainer
