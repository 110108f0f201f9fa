#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace twinrun::trainer {

/// A token that is recognised in the text before anything else.
struct AddedToken {
  std::int64_t id = 0;
  std::string content;
  bool normalized = false;  ///< looked for in a second pass, after those that are not
};

/// What a tokenizer.json of a byte-level BPE says, checked.
struct TokenizerFile {
  bool digits_alone = false;
  std::vector<AddedToken> added_tokens;
  /// Token to id, in the alphabet of the file (byte_level.h).
  std::unordered_map<std::string, std::int64_t> vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;  ///< by falling precedence
};

/// Reads a tokenizer.json. Throws TokenizerError (file, field): what is missing or ill-typed, two
/// tokens of one id, and by name all that would change ids and is not built.
TokenizerFile read_tokenizer_file(const std::filesystem::path& path);

}  // namespace twinrun::trainer
