#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/config/yaml_tree.h"

namespace twinrun::harness {

/// Turns a node into the value that goes into config.json; throws UsageError naming the node.
using Parse = std::function<nlohmann::json(const YamlNode&)>;

inline constexpr std::int64_t kSafeIntegerMax = (std::int64_t{1} << 53) - 1;

/// A decimal integer in [low, high]: no leading zero, underscore, sign '+', hex or octal.
Parse integer(std::int64_t low, std::int64_t high = kSafeIntegerMax);

/// A finite number that lies within; integers count as numbers.
struct NumberRange {
  double low = 0;
  double high = std::numeric_limits<double>::max();
  bool low_open = false, high_open = false;
};
Parse number(NumberRange range);

/// `true` or `false`; yes, no, on and off are refused.
Parse boolean();

/// Text that YAML does not read as a number or a boolean; not empty.
Parse text();

/// One of `built`; a word of `not_built` gets an error that says so, any other one the nearest.
Parse word(std::vector<std::string> built, std::vector<std::string> not_built = {});

/// A free value of any type, maps and lists included: trainer.params. A plain scalar that YAML 1.1
/// and 1.2 read differently (yes, 017, 0x10, 1_000) is refused.
nlohmann::json free_value(const YamlNode& node);

/// A mapping whose keys are known.
class Section {
 public:
  /// Throws UsageError unless `node` is a mapping with no other keys than `known`.
  Section(const YamlNode& node, std::vector<std::string> known);
  const YamlNode& node() const { return *node_; }
  /// nullptr if the section has no such key. `key` is a known one.
  const YamlNode* find(const std::string& key) const;
  /// Throws UsageError if the section has no such key.
  const YamlNode& require(const std::string& key) const;
  bool has(const std::string& key) const { return find(key) != nullptr; }
  /// An empty mapping if the section has no such key.
  const YamlNode& find_section(const std::string& key) const;

 private:
  const YamlNode* node_;
  std::vector<std::string> known_;
};

/// A key of a section: how it is read and what stands for it when it is absent.
struct Field {
  std::string key;
  Parse parse;
  std::optional<nlohmann::json> fallback;  ///< nullopt: the key is required
};

enum class Absent {
  kFallback,  ///< absent keys get their fallback, required ones are an error
  kLeaveOut,  ///< absent keys are left out: a foreign trainer has its own defaults
};

/// Reads `fields` of `section` into an object.
nlohmann::json read_fields(const Section& section, const std::vector<Field>& fields, Absent absent);

/// The keys of `fields`.
std::vector<std::string> keys_of(const std::vector<Field>& fields);

}  // namespace twinrun::harness
