#pragma once

#include <filesystem>
#include <memory>

#include "trainer/tokenizer/tokenizer.h"

namespace twinrun::trainer {

/// SentencePiece BPE as in the tokenizer.model of Llama 2 and Mistral 7B, by libsentencepiece.
///
/// Recognised in the text first are the model's control symbols, its user-defined ones and its
/// unknown token, and the tokens of `added_tokens_decoder` in the tokenizer_config.json beside it.
/// Each piece of text between them is encoded on its own. SentencePiece puts a space before a text;
/// before which pieces of it here the JSON files of the folder say (sentencepiece_config.h), so
/// that ids are those of transformers 5. A token that stands for that space alone has no byte of
/// the text; each of the tokens of a character's bytes has the whole character.
class SentencePieceTokenizer final : public Tokenizer {
 public:
  /// Throws TokenizerError (file, field).
  static std::unique_ptr<const Tokenizer> load(const std::filesystem::path& folder);
  ~SentencePieceTokenizer() override;

  std::vector<EncodedToken> encode_with_offsets(std::string_view text) const override;
  /// Without the space before the first word where one may have been put there: a text that began
  /// with a space of its own comes back without it, as in transformers.
  std::string decode(std::span<const std::int64_t> ids) const override;
  std::string decode_known(std::span<const std::int64_t> ids) const override;
  std::optional<std::int64_t> token_id(std::string_view token) const override;
  std::int64_t vocab_size() const override;

 private:
  struct Impl;
  explicit SentencePieceTokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinrun::trainer
