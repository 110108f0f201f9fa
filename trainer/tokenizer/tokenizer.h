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

/// Text to ids and back. Const calls may run in parallel.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Ids of `text` (UTF-8), added tokens recognised; nothing is put before or after. Throws
  /// TokenizerError (byte) where `text` is not UTF-8.
  std::vector<std::int64_t> encode(std::string_view text) const;
  virtual std::vector<EncodedToken> encode_with_offsets(std::string_view text) const = 0;
  /// The inverse: bytes of the tokens, special ones included. Throws TokenizerError for an unknown
  /// id.
  virtual std::string decode(std::span<const std::int64_t> ids) const = 0;
  /// decode() of those ids that are tokens: a model may have rows of its vocabulary to spare.
  virtual std::string decode_known(std::span<const std::int64_t> ids) const = 0;
  virtual std::optional<std::int64_t> token_id(std::string_view token) const = 0;
  /// One more than the largest id.
  virtual std::int64_t vocab_size() const = 0;

 protected:
  Tokenizer() = default;
  Tokenizer(const Tokenizer&) = default;
  Tokenizer(Tokenizer&&) = default;
  Tokenizer& operator=(const Tokenizer&) = default;
  Tokenizer& operator=(Tokenizer&&) = default;
};

/// Throws TokenizerError (byte) unless `text` is UTF-8.
void require_utf8(std::string_view text);

/// The file of a Hugging Face model folder that load_tokenizer reads: its tokenizer.json, or its
/// tokenizer.model where it has none or one that was converted from that (model.byte_fallback).
/// Throws TokenizerError where both are there and tokenizer.json is no JSON.
std::filesystem::path tokenizer_file(const std::filesystem::path& folder);

/// The tokenizer of a Hugging Face model folder: byte-level BPE (bpe.h) or SentencePiece
/// (sentencepiece.h). Throws TokenizerError (file, field).
std::unique_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& folder);

}  // namespace twinrun::trainer
