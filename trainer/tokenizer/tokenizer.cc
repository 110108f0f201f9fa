#include "trainer/tokenizer/tokenizer.h"

#include "trainer/tokenizer/bpe.h"
#include "trainer/tokenizer/json_node.h"
#include "trainer/tokenizer/sentencepiece.h"
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
  const fs::path json = folder / "tokenizer.json", model = folder / "tokenizer.model";
  if (!fs::exists(model)) return json;
  if (!fs::exists(json)) return model;
  // What was converted from the model beside it: its bytes are tokens of their own.
  const nlohmann::json object = read_tokenizer_json(json);
  const nlohmann::json::json_pointer byte_fallback("/model/byte_fallback");
  const bool converted = object.contains(byte_fallback) && object[byte_fallback] == true;
  return converted ? model : json;
}

std::unique_ptr<const Tokenizer> load_tokenizer(const fs::path& folder) {
  const fs::path file = tokenizer_file(folder);
  if (file.filename() == "tokenizer.model") return SentencePieceTokenizer::load(folder);
  return std::make_unique<BpeTokenizer>(BpeTokenizer::load(file));
}

}  // namespace twinrun::trainer
