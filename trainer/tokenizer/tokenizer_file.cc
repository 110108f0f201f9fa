#include "trainer/tokenizer/tokenizer_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "trainer/tokenizer/json_node.h"
#include "trainer/tokenizer/tokenizer_steps.h"
#include "trainer/tokenizer/unicode.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;

void read_vocabulary(const JsonNode& model, TokenizerFile& result) {
  const json& vocabulary = model.at("vocab");
  if (!vocabulary.is_object() || vocabulary.empty()) model.fail("vocab", "is missing or no object");
  std::set<std::int64_t> seen;
  for (const auto& [token, value] : vocabulary.items()) {
    const std::optional<std::int64_t> id = token_id_of(value);
    if (!id) model.fail("vocab", "gives '" + token + "' an id that is no number below 2^31");
    if (!seen.insert(*id).second) {
      model.fail("vocab",
                 "has the id " + std::to_string(*id) + " twice, again for '" + token + "'");
    }
    result.vocabulary.emplace(token, *id);
  }
}

// "a b" (the older form) or ["a", "b"].
std::optional<std::pair<std::string, std::string>> merge_of(const json& value) {
  if (value.is_array() && value.size() == 2 && value[0].is_string() && value[1].is_string()) {
    return std::pair(value[0].get<std::string>(), value[1].get<std::string>());
  }
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.get_ref<const std::string&>();
  const std::size_t space = text.find(' ');
  if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
    return std::nullopt;
  }
  return std::pair(text.substr(0, space), text.substr(space + 1));
}

void read_merges(const JsonNode& model, TokenizerFile& result) {
  const json& merges = model.at("merges");
  if (!merges.is_array()) model.fail("merges", "is missing or no list");
  result.merges.reserve(merges.size());
  for (const json& value : merges) {
    const std::string place = "[" + std::to_string(result.merges.size()) + "]";
    auto merge = merge_of(value);
    if (!merge) model.fail("merges" + place, "is no pair of tokens");
    for (const std::string& token : {merge->first, merge->second, merge->first + merge->second}) {
      if (!result.vocabulary.contains(token)) {
        model.fail("merges" + place, "needs '" + token + "', which the vocabulary lacks");
      }
    }
    result.merges.push_back(std::move(*merge));
  }
}

void read_model(const JsonNode& model, TokenizerFile& result) {
  if (model.text("type") != "BPE") {
    model.fail("type", "is \"" + model.text("type") + "\"; only \"BPE\" is built");
  }
  model.require_known({"type", "dropout", "unk_token", "continuing_subword_prefix",
                       "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges", "vocab",
                       "merges"});
  model.require_one_of("dropout", {0.0});
  model.require_one_of("unk_token", {});
  model.require_one_of("continuing_subword_prefix", {""});
  model.require_one_of("end_of_word_suffix", {""});
  // Without an unknown token there is nothing to fuse.
  model.require_one_of("fuse_unk", {false, true});
  model.require_one_of("byte_fallback", {false});
  result.ignore_merges = model.flag_or("ignore_merges", false);
  read_vocabulary(model, result);
  read_merges(model, result);
}

// Whether the id of `token` is its own, in the vocabulary or beyond it.
class IdCheck {
 public:
  explicit IdCheck(const TokenizerFile& file) : vocabulary_(file.vocabulary) {
    for (const auto& [token, id] : vocabulary_) taken_.insert(id);
  }
  bool fits(const AddedToken& token) {
    const auto found = vocabulary_.find(token.content);
    return found != vocabulary_.end() ? found->second == token.id : taken_.insert(token.id).second;
  }

 private:
  const std::unordered_map<std::string, std::int64_t>& vocabulary_;
  std::set<std::int64_t> taken_;
};

AddedToken read_added_token(const JsonNode& node) {
  node.require_known({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
  node.require_one_of("single_word", {false});
  AddedToken token{.id = node.token_id("id"),
                   .content = node.text("content"),
                   .normalized = node.flag("normalized"),
                   .lstrip = node.flag_or("lstrip", false),
                   .rstrip = node.flag_or("rstrip", false)};
  if (token.content.empty()) node.fail("content", "is empty");
  return token;
}

void read_added_tokens(const JsonNode& root, TokenizerFile& result) {
  if (root.at("added_tokens").is_null()) return;
  IdCheck ids(result);
  std::set<std::string> contents, normalized;
  const std::vector<JsonNode> nodes = root.children("added_tokens");
  for (const JsonNode& node : nodes) {
    AddedToken token = read_added_token(node);
    if (!contents.insert(token.content).second) node.fail("content", "was there before");
    if (!ids.fits(token)) {
      node.fail("id", "is not the id of '" + token.content + "', or that of another token");
    }
    if (token.normalized && result.nfc &&
        !normalized.insert(unicode::to_nfc(token.content).text).second) {
      node.fail("content", "is, in normalization form C, another token's");
    }
    result.added_tokens.push_back(std::move(token));
  }
  const auto& tokens = result.added_tokens;
  if (std::ranges::none_of(tokens, &AddedToken::rstrip)) return;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (leading_space_end(tokens[i].content) > 0) {
      nodes[i].fail("content", "begins with white space that a token with rstrip would take in");
    }
  }
}

}  // namespace

TokenizerFile read_tokenizer_file(const std::filesystem::path& path) {
  const json object = read_tokenizer_json(path);
  const std::string file = path.string();
  const JsonNode root(file, "", object);
  root.require_known({"version", "truncation", "padding", "added_tokens", "normalizer",
                      "pre_tokenizer", "post_processor", "decoder", "model"});
  for (const char* not_built : {"truncation", "padding"}) root.require_one_of(not_built, {});
  TokenizerFile result;
  result.nfc = read_normalizer(root);
  result.pretokenizer = read_pre_tokenizer(root);
  check_later_steps(root);
  read_model(root.child("model"), result);
  read_added_tokens(root, result);
  return result;
}

}  // namespace twinrun::trainer
