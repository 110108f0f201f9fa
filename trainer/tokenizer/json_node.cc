#include "trainer/tokenizer/json_node.h"

#include <limits>
#include <stdexcept>
#include <utility>

#include "trainer/data/input_file.h"
#include "trainer/tokenizer/tokenizer.h"

namespace twinrun::trainer {

using nlohmann::json;

JsonNode::JsonNode(const std::string& file, std::string place, const json& value)
    : file_(file), place_(std::move(place)), value_(value) {
  if (!value.is_object()) fail("", "is missing or no object");
}

void JsonNode::fail(const std::string& key, const std::string& what) const {
  const std::string dot = place_.empty() || key.empty() ? "" : ".";
  throw TokenizerError(file_ + ": '" + place_ + dot + key + "' " + what);
}

void JsonNode::fail_not_built(const std::string& key) const {
  const std::string value = at(key).dump(-1, ' ', false, json::error_handler_t::replace);
  fail(key, "is " + value.substr(0, 80) + ", which is not built");
}

const json& JsonNode::at(const std::string& key) const {
  static const json absent;
  const auto found = value_.find(key);
  return found == value_.end() ? absent : *found;
}

JsonNode JsonNode::child(const std::string& key) const {
  return JsonNode(file_, place_.empty() ? key : place_ + "." + key, at(key));
}

std::vector<JsonNode> JsonNode::children(const std::string& key) const {
  const json& list = at(key);
  if (!list.is_array()) fail(key, "is missing or no list");
  std::vector<JsonNode> nodes;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string place = key + "[" + std::to_string(i) + "]";
    nodes.emplace_back(file_, place_.empty() ? place : place_ + "." + place, list[i]);
  }
  return nodes;
}

void JsonNode::require_one_of(const std::string& key, std::initializer_list<json> built) const {
  const json& value = at(key);
  if (value.is_null()) return;
  for (const json& allowed : built) {
    if (value == allowed) return;
  }
  fail_not_built(key);
}

void JsonNode::require_known(const std::set<std::string_view>& keys) const {
  for (const auto& [key, value] : value_.items()) {
    if (!keys.contains(key)) fail(key, "is not known to twinrun and might change the ids");
  }
}

std::string JsonNode::text(const std::string& key) const {
  if (!at(key).is_string()) fail(key, "is missing or no string");
  return at(key).get<std::string>();
}

bool JsonNode::flag(const std::string& key) const {
  if (!at(key).is_boolean()) fail(key, "is missing or neither true nor false");
  return at(key).get<bool>();
}

bool JsonNode::flag_or(const std::string& key, bool absent) const {
  return at(key).is_null() ? absent : flag(key);
}

std::int64_t JsonNode::token_id(const std::string& key) const {
  const std::optional<std::int64_t> id = token_id_of(at(key));
  if (!id) fail(key, "is missing or no number below 2^31");
  return *id;
}

std::optional<std::int64_t> token_id_of(const json& value) {
  if (!value.is_number_unsigned() ||
      value.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int32_t>::max()}) {
    return std::nullopt;
  }
  return value.get<std::int64_t>();
}

json read_tokenizer_json(const std::filesystem::path& file) {
  try {
    return read_json_object(file);
  } catch (const std::runtime_error& error) {
    throw TokenizerError(error.what());
  }
}

}  // namespace twinrun::trainer
