#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "trainer/tokenizer/added_tokens.h"
#include "trainer/tokenizer/pretokenizer.h"

namespace twinrun::trainer {

/// What a tokenizer.json of a byte-level BPE says, checked.
struct TokenizerFile {
  bool nfc = false;  ///< normalizer
  Pretokenizer pretokenizer = Pretokenizer::kGpt2;
  /// A piece that is a token as a whole is that token, whatever its bytes would merge to.
  bool ignore_merges = false;
  std::vector<AddedToken> added_tokens;
  /// Token to id, in the alphabet of the file (byte_level.h).
  std::unordered_map<std::string, std::int64_t> vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;  ///< by falling precedence
};

/// Reads a tokenizer.json. Throws TokenizerError (file, field): what is missing or ill-typed, two
/// tokens of one id, and by name all that would change ids and is not built.
TokenizerFile read_tokenizer_file(const std::filesystem::path& path);

}  // namespace twinrun::trainer
