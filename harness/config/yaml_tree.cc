#include "harness/config/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "harness/exit_code.h"
#include "harness/report/printable.h"

namespace twinrun::harness {
namespace {

constexpr std::size_t kDepthMax = 16;
constexpr std::size_t kBytesMax = 1 << 18;

std::string join_path(const std::string& parent, const std::string& key) {
  return parent.empty() ? key : parent + "." + key;
}

/// Builds the tree from yaml-cpp's events. yaml-cpp's own nodes cannot tell a duplicate key, an
/// anchor or quotes any more; its events can.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string source) : source_(std::move(source)) {}

  YamlNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (anchor != 0) refuse_anchor(mark);
    if (expects_key()) fail_at(at(mark), "a key is missing: write `key: value`");
    YamlNode node = make(YamlNode::Kind::kNull, mark);
    // The mark of an absent value is that of whatever comes next in the file.
    if (!open_.empty() && open_.back().kind == YamlNode::Kind::kMap) node.where = key_where_;
    add(std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse_anchor(mark); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (anchor != 0) refuse_anchor(mark);
    if (tag != "?" && tag != "!") refuse_tag(mark, tag);
    // No path, argument or name can hold one: what comes after it would be lost silently.
    if (value.find('\0') != std::string::npos) fail_at(at(mark), "a NUL character in a string");
    if (expects_key()) {
      take_key(mark, value);
      return;
    }
    YamlNode node = make(YamlNode::Kind::kScalar, mark);
    node.scalar = value;
    node.quoted = tag == "!";
    add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  std::string at(const YAML::Mark& mark) const {
    return source_ + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1);
  }

  [[noreturn]] void refuse_anchor(const YAML::Mark& mark) const {
    fail_at(at(mark), "anchors and aliases (&name, *name) are not allowed: write the value out");
  }

  [[noreturn]] void refuse_tag(const YAML::Mark& mark, const std::string& tag) const {
    fail_at(at(mark), "the tag " + tag + " is not allowed: leave it out");
  }

  bool expects_key() const {
    return !open_.empty() && open_.back().kind == YamlNode::Kind::kMap && !has_key_;
  }

  YamlNode make(YamlNode::Kind kind, const YAML::Mark& mark) const {
    YamlNode node;
    node.kind = kind;
    node.where = at(mark);
    if (open_.empty()) return node;
    const YamlNode& parent = open_.back();
    node.path = parent.kind == YamlNode::Kind::kMap
                    ? join_path(parent.path, key_)
                    : parent.path + "[" + std::to_string(parent.items.size()) + "]";
    return node;
  }

  void take_key(const YAML::Mark& mark, const std::string& key) {
    const YamlNode& map = open_.back();
    const auto same = std::find_if(map.entries.begin(), map.entries.end(),
                                   [&](const YamlNode::Entry& entry) { return entry.key == key; });
    if (same != map.entries.end()) {
      fail_at(at(mark), "duplicate key '" + join_path(map.path, key) + "', first given at " +
                            same->where + ": leave one out");
    }
    if (key.empty()) fail_at(at(mark), "a key is empty: write `key: value`");
    key_ = key;
    key_where_ = at(mark);
    has_key_ = true;
  }

  void open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    if (anchor != 0) refuse_anchor(mark);
    if (tag != "?" && !tag.empty()) refuse_tag(mark, tag);
    if (expects_key()) fail_at(at(mark), "a key has to be a word, not a list or mapping");
    if (open_.size() == kDepthMax) {
      fail_at(at(mark), "nested deeper than " + std::to_string(kDepthMax) + " levels");
    }
    open_.push_back(make(kind, mark));
    keys_.emplace_back(std::move(key_), std::move(key_where_));
    has_key_ = false;
  }

  void close() {
    YamlNode node = std::move(open_.back());
    open_.pop_back();
    std::tie(key_, key_where_) = std::move(keys_.back());
    keys_.pop_back();
    add(std::move(node));
  }

  void add(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (open_.back().kind == YamlNode::Kind::kMap) {
      open_.back().entries.push_back({key_, key_where_, std::move(node)});
      has_key_ = false;
    } else {
      open_.back().items.push_back(std::move(node));
    }
  }

  std::string source_;
  YamlNode root_;
  std::vector<YamlNode> open_;
  std::vector<std::pair<std::string, std::string>> keys_;  // of the open nodes in their parents
  std::string key_, key_where_;
  bool has_key_ = false;
};

void require_text(const std::string& text, const std::string& source) {
  if (text.size() > kBytesMax) fail_at(source, "larger than 256 KiB: this is no case file");
  if (text.find('\0') != std::string::npos) fail_at(source, "holds a NUL byte: this is no text");
  try {
    static_cast<void>(nlohmann::json(text).dump());  // its strict mode refuses what is not UTF-8
  } catch (const nlohmann::json::type_error&) {
    fail_at(source, "is not UTF-8 text: save it as UTF-8");
  }
}

/// Gives a subtree that came from `--set` its place in the case.
void move_to(YamlNode& node, const std::string& where, const std::string& path) {
  node.where = where;
  node.path = path;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    move_to(node.items[i], where, path + "[" + std::to_string(i) + "]");
  }
  for (YamlNode::Entry& entry : node.entries) {
    entry.where = where;
    move_to(entry.value, where, join_path(path, entry.key));
  }
}

std::vector<std::string> split_key(const std::string& key, const std::string& where) {
  std::vector<std::string> parts;
  std::istringstream stream(key);
  for (std::string part; std::getline(stream, part, '.');) parts.push_back(part);
  const bool empty_part = std::find(parts.begin(), parts.end(), "") != parts.end();
  if (parts.empty() || empty_part || key.back() == '.') {
    fail_at(where, "write --set KEY=VALUE with a dotted key, such as --set lora.rank=16");
  }
  if (parts.size() > kDepthMax) fail_at(where, "the key is nested too deep");
  return parts;
}

}  // namespace

const YamlNode* YamlNode::find(const std::string& key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

void fail_at(const std::string& where, const std::string& what) {
  throw UsageError(printable(where + ": " + what));
}

void fail_at(const YamlNode& node, const std::string& what) {
  fail_at(node.where, node.path.empty() ? what : node.path + ": " + what);
}

YamlNode parse_yaml(const std::string& text, const std::string& source) {
  require_text(text, source);
  std::istringstream stream(text);
  try {
    YAML::Parser parser(stream);
    TreeBuilder builder(source);
    if (!parser.HandleNextDocument(builder)) fail_at(source, "is empty: write a case into it");
    TreeBuilder second(source);
    if (parser.HandleNextDocument(second)) {
      fail_at(second.take().where, "a second document: a case file holds one");
    }
    return builder.take();
  } catch (const YAML::Exception& error) {
    const std::string place = error.mark.is_null()
                                  ? std::string()
                                  : ":" + std::to_string(error.mark.line + 1) + ":" +
                                        std::to_string(error.mark.column + 1);
    fail_at(source + place, "not YAML: " + error.msg);
  }
}

void apply_override(YamlNode& root, const std::string& assignment) {
  const std::string where = "--set " + assignment;
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos) {
    fail_at(where, "write --set KEY=VALUE, such as --set lora.rank=16");
  }
  const std::vector<std::string> keys = split_key(assignment.substr(0, equals), where);
  const std::string value = assignment.substr(equals + 1);
  if (value.find_first_not_of(" \t\n") == std::string::npos) {
    fail_at(where, "a value is missing after '='");
  }
  YamlNode* node = &root;
  std::string path;
  for (const std::string& key : keys) {
    if (node->kind != YamlNode::Kind::kMap) {
      fail_at(where, (path.empty() ? "the case" : "'" + path + "'") +
                         " is no mapping, so it has no key '" + key + "'");
    }
    path = join_path(path, key);
    auto entry = std::find_if(node->entries.begin(), node->entries.end(),
                              [&](const YamlNode::Entry& e) { return e.key == key; });
    if (entry == node->entries.end()) {
      YamlNode section;
      section.kind = YamlNode::Kind::kMap;
      section.where = where;
      section.path = path;
      entry = node->entries.insert(entry, {key, where, std::move(section)});
    }
    node = &entry->value;
  }
  *node = parse_yaml(value, where);
  move_to(*node, where, path);
}

}  // namespace twinrun::harness
