#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace twinrun::trainer {

/// The tokenizer file that is wrong, and where; the caller can fix it (exit code 2).
struct TokenizerError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A token and the bytes of the text that it stands for, [begin, end).
struct EncodedToken {
  std::int64_t id = 0;
  std::size_t begin = 0, end = 0;
};

/// Byte-level BPE as in a Hugging Face tokenizer.json: added and special tokens, pre-tokenizers
/// ByteLevel (GPT-2's pattern) alone or after Digits(individual_digits). What the file asks for and
/// is not built is refused by name.
///
/// Ids are those of the `tokenizers` package with add_special_tokens=False. As there, a byte that
/// the vocabulary lacks is left out. Const calls may run in parallel.
class BpeTokenizer {
 public:
  /// Throws TokenizerError (file, field).
  static BpeTokenizer load(const std::filesystem::path& tokenizer_json);
  ~BpeTokenizer();
  BpeTokenizer(BpeTokenizer&&) noexcept;
  BpeTokenizer& operator=(BpeTokenizer&&) noexcept;

  /// Ids of `text` (UTF-8), added tokens recognised; nothing is put before or after. Throws
  /// TokenizerError (byte) where `text` is not UTF-8.
  std::vector<std::int64_t> encode(std::string_view text) const;
  std::vector<EncodedToken> encode_with_offsets(std::string_view text) const;
  /// The inverse: bytes of the tokens, special ones included. Throws TokenizerError for an unknown
  /// id.
  std::string decode(std::span<const std::int64_t> ids) const;
  /// decode() of those ids that are tokens: a model may have rows of its vocabulary to spare.
  std::string decode_known(std::span<const std::int64_t> ids) const;
  std::optional<std::int64_t> token_id(std::string_view token) const;
  /// One more than the largest id.
  std::int64_t vocab_size() const;

 private:
  struct Impl;
  explicit BpeTokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinrun::trainer
