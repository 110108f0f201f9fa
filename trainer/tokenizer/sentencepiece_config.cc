#include "trainer/tokenizer/sentencepiece_config.h"

#include <charconv>
#include <limits>
#include <optional>
#include <unordered_map>

#include "trainer/tokenizer/json_node.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

using Ids = std::unordered_map<std::string, std::int64_t>;

std::int64_t id_of_key(const JsonNode& decoder, const std::string& key) {
  std::int64_t id = -1;
  const char* const end = key.data() + key.size();
  // A second way to write an id might give it twice.
  if (std::from_chars(key.data(), end, id).ptr != end || key != std::to_string(id) || id < 0 ||
      id > std::numeric_limits<std::int32_t>::max()) {
    decoder.fail(key, "is no number below 2^31");
  }
  return id;
}

AddedToken read_added_token(const JsonNode& node, std::int64_t id) {
  node.require_known({"content", "single_word", "lstrip", "rstrip", "normalized", "special"});
  node.require_one_of("single_word", {false});
  // Nothing is normalized here.
  AddedToken token{.id = id,
                   .content = node.text("content"),
                   .normalized = false,
                   .lstrip = node.flag_or("lstrip", false),
                   .rstrip = node.flag_or("rstrip", false)};
  if (token.content.empty()) node.fail("content", "is empty");
  return token;
}

std::vector<AddedToken> read_added_tokens(const JsonNode& config,
                                          std::span<const std::string> pieces, const Ids& ids) {
  std::vector<AddedToken> tokens;
  if (config.at("added_tokens_decoder").is_null()) return tokens;
  const JsonNode decoder = config.child("added_tokens_decoder");
  Ids seen;
  bool rstrip = false, begins_with_space = false;
  for (const auto& [key, value] : config.at("added_tokens_decoder").items()) {
    const JsonNode node = decoder.child(key);
    const AddedToken token = read_added_token(node, id_of_key(decoder, key));
    const auto piece = ids.find(token.content);
    const bool fits = piece == ids.end() ? token.id >= static_cast<std::int64_t>(pieces.size())
                                         : piece->second == token.id;
    if (!fits)
      decoder.fail(key, "is not the id that tokenizer.model has for '" + token.content + "'");
    if (!seen.emplace(token.content, token.id).second) node.fail("content", "was there before");
    rstrip = rstrip || token.rstrip;
    begins_with_space = begins_with_space || leading_space_end(token.content) > 0;
    if (rstrip && begins_with_space) {
      node.fail("content",
                "begins with white space that a token with rstrip would take in, or is one");
    }
    tokens.push_back(token);
  }
  return tokens;
}

bool is_llama(const fs::path& folder, const JsonNode& config) {
  const json& kind = config.at("tokenizer_class");
  if (kind != "LlamaTokenizer" && kind != "LlamaTokenizerFast") return false;
  // Whose folders name that class, too, and are read without it.
  const fs::path model = folder / "config.json";
  return !fs::exists(model) || read_tokenizer_json(model).value("model_type", json()) != "mistral";
}

PrefixSpace prefix_of_llama(const JsonNode& config) {
  if (!config.flag_or("add_prefix_space", true)) return PrefixSpace::kNone;
  return config.flag_or("legacy", false) ? PrefixSpace::kEach : PrefixSpace::kFirst;
}

/// Of a tokenizer.json that was converted from the model.
PrefixSpace prefix_of_steps(const JsonNode& root) {
  const json prepend = {{"type", "Prepend"}, {"prepend", "\u2581"}};
  const json replace = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}};
  const json& normalizer = root.at("normalizer");
  const json& pre_tokenizer = root.at("pre_tokenizer");
  if (normalizer.is_null()) {
    for (const auto& [scheme, prefix] : {std::pair{"never", PrefixSpace::kNone},
                                         {"first", PrefixSpace::kFirst},
                                         {"always", PrefixSpace::kEach}}) {
      const json metaspace = {{"type", "Metaspace"},
                              {"replacement", "\u2581"},
                              {"prepend_scheme", scheme},
                              {"split", false}};
      if (pre_tokenizer == metaspace) return prefix;
    }
  }
  if (!pre_tokenizer.is_null() || normalizer.is_null()) root.fail_not_built("pre_tokenizer");
  const auto is_sequence = [&](const json& steps) {
    return normalizer == json{{"type", "Sequence"}, {"normalizers", steps}};
  };
  if (normalizer == replace || is_sequence(json::array({replace}))) return PrefixSpace::kNone;
  if (!is_sequence(json::array({prepend, replace}))) root.fail_not_built("normalizer");
  for (const JsonNode& token : root.children("added_tokens")) {
    // It would be looked for behind the space that is put before the text.
    if (token.flag_or("normalized", false)) token.fail_not_built("normalized");
  }
  return PrefixSpace::kAlways;
}

// Tokens of another file of the folder have to be ours: transformers reads them, too.
void require_same(const JsonNode& node, const std::string& field, const std::string& token,
                  const json& id, const Ids& ids) {
  const auto found = ids.find(token);
  if (found != ids.end() && id == found->second) return;
  node.fail(field, "has '" + token + "' with an id that tokenizer.model and the " +
                       "added_tokens_decoder of tokenizer_config.json do not give it");
}

void check_added_tokens(const fs::path& folder, const Ids& ids) {
  const std::string file = (folder / "added_tokens.json").string();
  if (!fs::exists(file)) return;
  const json object = read_tokenizer_json(file);
  const JsonNode root(file, "", object);
  for (const auto& [token, id] : object.items()) require_same(root, token, token, id, ids);
}

void check_tokenizer_json(const JsonNode& root, const Ids& ids) {
  const JsonNode model = root.child("model");
  if (!model.at("vocab").is_object()) model.fail("vocab", "is missing or no object");
  for (const auto& [token, id] : model.at("vocab").items()) {
    require_same(model, "vocab", token, id, ids);
  }
  for (const JsonNode& node : root.children("added_tokens")) {
    require_same(node, "id", node.text("content"), node.at("id"), ids);
  }
}

}  // namespace

SentencePieceConfig read_sentencepiece_config(const fs::path& folder,
                                              std::span<const std::string> pieces,
                                              std::span<const AddedToken> special) {
  Ids ids;
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    ids.emplace(pieces[id], static_cast<std::int64_t>(id));
  }
  const std::string file = (folder / "tokenizer_config.json").string();
  const json object = fs::exists(file) ? read_tokenizer_json(file) : json::object();
  const JsonNode config(file, "", object);
  const bool llama = is_llama(folder, config);
  SentencePieceConfig result;
  if (llama) result.prefix = prefix_of_llama(config);
  result.added_tokens = read_added_tokens(config, pieces, ids);
  Ids added;
  for (const AddedToken& token : result.added_tokens) added.emplace(token.content, token.id);
  for (const AddedToken& token : special) {
    if (!added.contains(token.content)) result.added_tokens.push_back(token);
  }
  ids.merge(added);
  check_added_tokens(folder, ids);
  const std::string converted = (folder / "tokenizer.json").string();
  if (fs::exists(converted)) {
    const json tokenizer = read_tokenizer_json(converted);
    const JsonNode root(converted, "", tokenizer);
    check_tokenizer_json(root, ids);
    if (!llama) result.prefix = prefix_of_steps(root);
  }
  return result;
}

}  // namespace twinrun::trainer
