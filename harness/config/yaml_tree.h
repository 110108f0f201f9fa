#pragma once

#include <string>
#include <vector>

namespace twinrun::harness {

/// A node of a strictly read YAML document.
///
/// Plain scalars are kept as written: what `16` or `yes` means is decided where the key is known.
struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  struct Entry;

  Kind kind = Kind::kNull;
  std::string where;   ///< `FILE:LINE:COLUMN`, or `--set KEY=VALUE`
  std::string path;    ///< dotted, from the root of the case: `lora.rank`; empty for the root
  std::string scalar;  ///< of a kScalar
  bool quoted = false;
  std::vector<YamlNode> items;  ///< of a kList
  std::vector<Entry> entries;   ///< of a kMap, in the order of the file

  /// The value of `key`, or nullptr. Only of a kMap.
  const YamlNode* find(const std::string& key) const;
};

struct YamlNode::Entry {
  std::string key, where;
  YamlNode value;
};

/// Throws UsageError: `WHERE: PATH: what`, with everything that cannot be printed replaced.
[[noreturn]] void fail_at(const YamlNode& node, const std::string& what);
[[noreturn]] void fail_at(const std::string& where, const std::string& what);

/// Reads one YAML document; `source` is the file name that errors begin with.
///
/// Throws UsageError for what is not YAML or not UTF-8, and for what a case must not hold:
/// duplicate keys, anchors, aliases, tags, keys that are not plain words, a second document, more
/// than 16 levels, more than 256 KiB.
YamlNode parse_yaml(const std::string& text, const std::string& source);

/// Puts VALUE (YAML: a scalar or a flow value) at the dotted KEY of `assignment`, `KEY=VALUE`, in
/// place of what stands there; sections that are missing are made. The nodes' `where` is
/// `--set KEY=VALUE`. Throws UsageError that names the assignment.
void apply_override(YamlNode& root, const std::string& assignment);

}  // namespace twinrun::harness
