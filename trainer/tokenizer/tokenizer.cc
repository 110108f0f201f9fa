#include "trainer/tokenizer/tokenizer.h"

#include "trainer/tokenizer/bpe.h"
#include "trainer/tokenizer/utf8.h"

namespace twinrun::trainer {

namespace fs = std::filesystem;

std::vector<std::int64_t> Tokenizer::encode(std::string_view text) const {
  const std::vector<EncodedToken> tokens = encode_with_offsets(text);
  std::vector<std::int64_t> ids;
  ids.reserve(tokens.size());
  for (const EncodedToken& token : tokens) ids.push_back(token.id);
  return ids;
}

void require_utf8(std::string_view text) {
  if (const std::optional<std::size_t> byte = first_not_utf8(text)) {
    throw TokenizerError("text is not UTF-8 at byte " + std::to_string(*byte));
  }
}

std::filesystem::path tokenizer_file(const fs::path& folder) {
  return folder / "tokenizer.json";
}

std::unique_ptr<const Tokenizer> load_tokenizer(const fs::path& folder) {
  return std::make_unique<BpeTokenizer>(BpeTokenizer::load(tokenizer_file(folder)));
}

}  // namespace twinrun::trainer
