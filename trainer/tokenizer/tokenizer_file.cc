#include "trainer/tokenizer/tokenizer_file.h"

#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <string_view>

#include "trainer/data/input_file.h"
#include "trainer/tokenizer/tokenizer.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;

// An object of the file with its place in it, for messages.
class Node {
 public:
  Node(const std::string& file, std::string place, const json& value)
      : file_(file), place_(std::move(place)), value_(value) {
    if (!value.is_object()) fail("", "is no object");
  }

  [[noreturn]] void fail(const std::string& key, const std::string& what) const {
    const std::string dot = place_.empty() || key.empty() ? "" : ".";
    throw TokenizerError(file_ + ": '" + place_ + dot + key + "' " + what);
  }

  const json& at(const std::string& key) const {
    static const json absent;
    const auto found = value_.find(key);
    return found == value_.end() ? absent : *found;
  }

  Node child(const std::string& key) const {
    return Node(file_, place_.empty() ? key : place_ + "." + key, at(key));
  }

  // Absent, null or one of the values that are built.
  void require_one_of(const std::string& key, std::initializer_list<json> built) const {
    const json& value = at(key);
    if (value.is_null()) return;
    for (const json& allowed : built) {
      if (value == allowed) return;
    }
    fail(key, "is " + value.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, 80) +
                  ", which is not built");
  }

  void require_known(const std::set<std::string_view>& keys) const {
    for (const auto& [key, value] : value_.items()) {
      if (!keys.contains(key)) fail(key, "is not known to twinrun and might change the ids");
    }
  }

  std::string text(const std::string& key) const {
    if (!at(key).is_string()) fail(key, "is missing or no string");
    return at(key).get<std::string>();
  }

  bool flag(const std::string& key) const {
    if (!at(key).is_boolean()) fail(key, "is missing or neither true nor false");
    return at(key).get<bool>();
  }

  const std::string& file() const { return file_; }

 private:
  const std::string& file_;
  std::string place_;
  const json& value_;
};

std::optional<std::int64_t> token_id_of(const json& value) {
  if (!value.is_number_unsigned() ||
      value.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int32_t>::max()}) {
    return std::nullopt;
  }
  return value.get<std::int64_t>();
}

void read_byte_level(const Node& node) {
  node.require_known({"type", "add_prefix_space", "trim_offsets", "use_regex"});
  if (node.text("type") != "ByteLevel") node.fail("type", "is not \"ByteLevel\"");
  if (node.flag("add_prefix_space")) node.fail("add_prefix_space", "is true, which is not built");
  node.require_one_of("use_regex", {true});
}

// Whether digits stand alone.
bool read_pre_tokenizer(const Node& root) {
  const Node node = root.child("pre_tokenizer");
  const std::string type = node.text("type");
  if (type == "ByteLevel") {
    read_byte_level(node);
    return false;
  }
  if (type != "Sequence") node.fail("type", "is \"" + type + "\", which is not built");
  node.require_known({"type", "pretokenizers"});
  const json& list = node.at("pretokenizers");
  if (!list.is_array() || list.size() != 2) {
    node.fail("pretokenizers", "is not [Digits, ByteLevel], the one sequence that is built");
  }
  const Node digits(root.file(), "pre_tokenizer.pretokenizers[0]", list[0]);
  digits.require_known({"type", "individual_digits"});
  if (digits.text("type") != "Digits") digits.fail("type", "is not \"Digits\"");
  if (!digits.flag("individual_digits")) {
    digits.fail("individual_digits", "is false, which is not built");
  }
  read_byte_level(Node(root.file(), "pre_tokenizer.pretokenizers[1]", list[1]));
  return true;
}

void read_vocabulary(const Node& model, TokenizerFile& result) {
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

void read_merges(const Node& model, TokenizerFile& result) {
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

void read_model(const Node& model, TokenizerFile& result) {
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
  model.require_one_of("ignore_merges", {false});
  read_vocabulary(model, result);
  read_merges(model, result);
}

void read_added_tokens(const Node& root, TokenizerFile& result) {
  const json& list = root.at("added_tokens");
  if (list.is_null()) return;
  if (!list.is_array()) root.fail("added_tokens", "is no list");
  std::set<std::int64_t> ids_beyond;
  std::set<std::int64_t> vocabulary_ids;
  for (const auto& [token, id] : result.vocabulary) vocabulary_ids.insert(id);
  std::set<std::string> contents;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Node node(root.file(), "added_tokens[" + std::to_string(i) + "]", list[i]);
    node.require_known(
        {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    for (const char* flag : {"single_word", "lstrip", "rstrip"}) {
      node.require_one_of(flag, {false});
    }
    AddedToken token{0, node.text("content"), node.flag("normalized")};
    if (token.content.empty()) node.fail("content", "is empty");
    if (!contents.insert(token.content).second) node.fail("content", "was there before");
    const std::optional<std::int64_t> id = token_id_of(node.at("id"));
    if (!id) node.fail("id", "is missing or no number below 2^31");
    token.id = *id;
    const auto in_vocabulary = result.vocabulary.find(token.content);
    const bool fits = in_vocabulary != result.vocabulary.end()
                          ? in_vocabulary->second == *id
                          : !vocabulary_ids.contains(*id) && ids_beyond.insert(*id).second;
    if (!fits)
      node.fail("id", "is not the id of '" + token.content + "', or that of another token");
    result.added_tokens.push_back(std::move(token));
  }
}

}  // namespace

TokenizerFile read_tokenizer_file(const std::filesystem::path& path) {
  json object;
  try {
    object = read_json_object(path);
  } catch (const std::runtime_error& error) {
    throw TokenizerError(error.what());
  }
  const std::string file = path.string();
  const Node root(file, "", object);
  root.require_known({"version", "truncation", "padding", "added_tokens", "normalizer",
                      "pre_tokenizer", "post_processor", "decoder", "model"});
  for (const char* not_built : {"truncation", "padding", "normalizer"}) {
    root.require_one_of(not_built, {});
  }
  TokenizerFile result;
  result.digits_alone = read_pre_tokenizer(root);
  // ByteLevel changes offsets only; any other would put tokens around the text.
  if (!root.at("post_processor").is_null()) {
    const Node node = root.child("post_processor");
    if (node.text("type") != "ByteLevel") node.fail("type", "is not built: " + node.text("type"));
  }
  if (!root.at("decoder").is_null()) {
    const Node node = root.child("decoder");
    if (node.text("type") != "ByteLevel") node.fail("type", "is not built: " + node.text("type"));
  }
  read_model(root.child("model"), result);
  read_added_tokens(root, result);
  return result;
}

}  // namespace twinrun::trainer
