#pragma once

#include <filesystem>
#include <memory>

#include "trainer/tokenizer/tokenizer.h"

namespace twinrun::trainer {

/// Byte-level BPE as in a Hugging Face tokenizer.json: added and special tokens, NFC, the
/// pre-tokenizers of GPT-2, SmolLM2 and Llama 3 (docs/tokenizers.md). What the file asks for and is
/// not built is refused by name.
///
/// Ids are those of the `tokenizers` package with add_special_tokens=False. As there, a byte that
/// the vocabulary lacks is left out.
class BpeTokenizer final : public Tokenizer {
 public:
  /// Throws TokenizerError (file, field).
  static BpeTokenizer load(const std::filesystem::path& tokenizer_json);
  ~BpeTokenizer() override;
  BpeTokenizer(BpeTokenizer&&) noexcept;
  BpeTokenizer& operator=(BpeTokenizer&&) noexcept;

  std::vector<EncodedToken> encode_with_offsets(std::string_view text) const override;
  std::string decode(std::span<const std::int64_t> ids) const override;
  std::string decode_known(std::span<const std::int64_t> ids) const override;
  std::optional<std::int64_t> token_id(std::string_view token) const override;
  std::int64_t vocab_size() const override;

 private:
  struct Impl;
  explicit BpeTokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinrun::trainer
