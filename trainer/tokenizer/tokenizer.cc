#include "trainer/tokenizer/tokenizer.h"

#include "trainer/tokenizer/bpe.h"

namespace twinrun::trainer {

std::vector<std::int64_t> Tokenizer::encode(std::string_view text) const {
  const std::vector<EncodedToken> tokens = encode_with_offsets(text);
  std::vector<std::int64_t> ids;
  ids.reserve(tokens.size());
  for (const EncodedToken& token : tokens) ids.push_back(token.id);
  return ids;
}

std::filesystem::path tokenizer_file(const std::filesystem::path& folder) {
  return folder / "tokenizer.json";
}

std::unique_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& folder) {
  return std::make_unique<BpeTokenizer>(BpeTokenizer::load(tokenizer_file(folder)));
}

}  // namespace twinrun::trainer
