#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace twinrun::trainer {

/// An object of a tokenizer's JSON file with its place in it, for messages. All but at() throw
/// TokenizerError (file, field). What it is made from has to outlive it.
class JsonNode {
 public:
  /// Throws where `value` is no object.
  JsonNode(const std::string& file, std::string place, const nlohmann::json& value);

  [[noreturn]] void fail(const std::string& key, const std::string& what) const;
  [[noreturn]] void fail_not_built(const std::string& key) const;

  /// Null where there is none.
  const nlohmann::json& at(const std::string& key) const;
  JsonNode child(const std::string& key) const;
  /// The objects of the list `key`.
  std::vector<JsonNode> children(const std::string& key) const;

  /// Throws unless `key` is absent, null or one of the values that are built.
  void require_one_of(const std::string& key, std::initializer_list<nlohmann::json> built) const;
  /// Throws at a key that is not one of `keys`.
  void require_known(const std::set<std::string_view>& keys) const;

  std::string text(const std::string& key) const;
  bool flag(const std::string& key) const;
  /// `absent` where there is none.
  bool flag_or(const std::string& key, bool absent) const;
  std::int64_t token_id(const std::string& key) const;

 private:
  const std::string& file_;
  std::string place_;
  const nlohmann::json& value_;
};

/// A number from 0 to 2^31 - 1.
std::optional<std::int64_t> token_id_of(const nlohmann::json& value);

/// A file that is one JSON object. Throws TokenizerError.
nlohmann::json read_tokenizer_json(const std::filesystem::path& file);

}  // namespace twinrun::trainer
