#include "harness/config/fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <regex>
#include <utility>

#include "harness/config/case.h"

namespace twinrun::harness {
namespace {

std::string shown(const YamlNode& node) {
  constexpr std::size_t kShownMax = 60;
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a mapping";
    case YamlNode::Kind::kScalar:
      break;
  }
  const std::string text =
      node.scalar.size() > kShownMax ? node.scalar.substr(0, kShownMax) + "..." : node.scalar;
  return node.quoted ? "the string \"" + text + "\"" : "'" + text + "'";
}

[[noreturn]] void fail_type(const YamlNode& node, const std::string& expected) {
  fail_at(node, "expected " + expected + ", found " + shown(node));
}

bool is_plain(const YamlNode& node) { return node.kind == YamlNode::Kind::kScalar && !node.quoted; }

bool one_of(const std::string& text, const std::vector<std::string>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

// Each pattern is tried on short text only: std::regex recurses once a character.
constexpr std::size_t kNumberCharsMax = 64;

bool matches(const std::string& text, const std::regex& pattern) {
  return text.size() <= kNumberCharsMax && std::regex_match(text, pattern);
}

bool is_integer(const std::string& text) {
  static const std::regex kInteger("-?(0|[1-9][0-9]*)");
  return matches(text, kInteger);
}

bool is_number(const std::string& text) {
  static const std::regex kNumber(R"(-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?)");
  return matches(text, kNumber);
}

/// What YAML 1.1 or 1.2 readers would take for a number but not agree upon; empty if nothing.
std::string ambiguous_number(const std::string& text) {
  static const std::pair<std::regex, const char*> kAmbiguous[] = {
      {std::regex("[-+]?0[0-9]+"), "an integer with a leading zero looks octal: drop it"},
      {std::regex("[-+]?0[xob][0-9a-fA-F_]+"), "write the number in decimal"},
      {std::regex("[-+]?[0-9][0-9_]*_[0-9_]*([.][0-9_]*)?"), "drop the underscores"},
      {std::regex(R"([-+]?\.(inf|Inf|INF|nan|NaN|NAN))"), "the number has to be finite"},
      {std::regex(R"([-+]?0[0-9]+\.?[0-9]*([eE][-+]?[0-9]+)?)"), "drop the leading zero"}};
  for (const auto& [pattern, advice] : kAmbiguous) {
    if (matches(text, pattern)) return advice;
  }
  if (text.size() > 1 && text[0] == '+' && is_number(text.substr(1))) return "drop the '+'";
  return "";
}

bool is_boolean_like(const std::string& text) {
  std::string lower = text;
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return one_of(lower, {"true", "false", "yes", "no", "on", "off", "y", "n"});
}

std::optional<std::int64_t> parse_integer(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

double to_double(const YamlNode& node) {
  double value = 0;
  const std::string& text = node.scalar;
  // from_chars takes ".5" and "5." but reports what a double cannot hold.
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    fail_at(node, shown(node) + " does not fit into a double: use a value nearer to 1");
  }
  return value + 0.0;  // -0.0 becomes 0.0: the canonical form does not know the difference
}

std::string format_number(double value) { return nlohmann::json(value).dump(); }

void require_plain_number(const YamlNode& node, const std::string& expected) {
  if (node.kind == YamlNode::Kind::kScalar && node.quoted) {
    fail_type(node, expected + " without quotes");
  }
  if (!is_plain(node)) fail_type(node, expected);
  const std::string ambiguous = ambiguous_number(node.scalar);
  if (!ambiguous.empty()) fail_at(node, shown(node) + ": " + ambiguous);
}

}  // namespace

Parse integer(std::int64_t low, std::int64_t high) {
  return [=](const YamlNode& node) -> nlohmann::json {
    require_plain_number(node, "an integer");
    if (!is_integer(node.scalar)) fail_type(node, "an integer");
    const std::optional<std::int64_t> value = parse_integer(node.scalar);
    if (!value || *value < low || *value > high) {
      fail_at(node, node.scalar + " is out of range: " + std::to_string(low) + " .. " +
                        std::to_string(high));
    }
    return *value;
  };
}

Parse number(NumberRange range) {
  return [=](const YamlNode& node) -> nlohmann::json {
    require_plain_number(node, "a number");
    if (!is_number(node.scalar)) fail_type(node, "a number");
    const double value = to_double(node);
    const bool above = range.low_open ? value > range.low : value >= range.low;
    const bool below = range.high_open ? value < range.high : value <= range.high;
    if (!above || !below) {
      std::string allowed =
          std::string(range.low_open ? "above " : "at least ") + format_number(range.low);
      if (range.high != std::numeric_limits<double>::max()) {
        allowed +=
            std::string(range.high_open ? ", below " : ", at most ") + format_number(range.high);
      }
      fail_at(node, node.scalar + " is out of range: " + allowed);
    }
    return value;
  };
}

Parse boolean() {
  return [](const YamlNode& node) -> nlohmann::json {
    if (is_plain(node) && node.scalar == "true") return true;
    if (is_plain(node) && node.scalar == "false") return false;
    fail_type(node, "true or false");
  };
}

Parse text() {
  return [](const YamlNode& node) -> nlohmann::json {
    if (node.kind != YamlNode::Kind::kScalar) fail_type(node, "text");
    if (node.scalar.empty()) fail_type(node, "text that is not empty");
    if (!node.quoted && (is_number(node.scalar) || !ambiguous_number(node.scalar).empty() ||
                         is_boolean_like(node.scalar))) {
      fail_at(node, shown(node) + " is not text: put it in quotes if it is meant so");
    }
    return node.scalar;
  };
}

Parse word(std::vector<std::string> built, std::vector<std::string> not_built) {
  return [=](const YamlNode& node) -> nlohmann::json {
    std::string choices;
    for (const std::string& choice : built) choices += (choices.empty() ? "" : ", ") + choice;
    if (node.kind != YamlNode::Kind::kScalar) fail_type(node, "one of: " + choices);
    if (one_of(node.scalar, built)) return node.scalar;
    if (one_of(node.scalar, not_built)) {
      fail_at(node, "'" + node.scalar + "' is not built yet; there is: " + choices);
    }
    const std::string nearest = nearest_word(node.scalar, built);
    fail_at(node, shown(node) + " is not known; " +
                      (nearest.empty() ? "" : "did you mean '" + nearest + "'? ") +
                      "There is: " + choices);
  };
}

nlohmann::json free_value(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return nullptr;
    case YamlNode::Kind::kList: {
      nlohmann::json list = nlohmann::json::array();
      for (const YamlNode& item : node.items) list.push_back(free_value(item));
      return list;
    }
    case YamlNode::Kind::kMap: {
      nlohmann::json map = nlohmann::json::object();
      for (const YamlNode::Entry& entry : node.entries) map[entry.key] = free_value(entry.value);
      return map;
    }
    case YamlNode::Kind::kScalar:
      break;
  }
  if (node.quoted) return node.scalar;
  if (node.scalar == "true" || node.scalar == "false") return node.scalar == "true";
  const std::string ambiguous = ambiguous_number(node.scalar);
  if (!ambiguous.empty()) {
    fail_at(node, shown(node) + ": " + ambiguous + ", or put it in quotes if it is text");
  }
  if (is_boolean_like(node.scalar)) {
    fail_at(node, shown(node) + ": write true or false, or put it in quotes if it is text");
  }
  if (is_integer(node.scalar)) return integer(-kSafeIntegerMax)(node);
  if (is_number(node.scalar)) return to_double(node);
  return node.scalar;
}

Section::Section(const YamlNode& node, std::vector<std::string> known)
    : node_(&node), known_(std::move(known)) {
  if (node.kind != YamlNode::Kind::kMap) fail_type(node, "a mapping (key: value)");
  for (const YamlNode::Entry& entry : node.entries) {
    if (one_of(entry.key, known_)) continue;
    const std::string nearest = nearest_word(entry.key, known_);
    std::string all;
    for (const std::string& key : known_) all += (all.empty() ? "" : ", ") + key;
    fail_at(entry.where,
            "unknown key '" + entry.value.path + "'; " +
                (nearest.empty() ? "known here: " + all : "did you mean '" + nearest + "'?"));
  }
}

const YamlNode* Section::find(const std::string& key) const { return node_->find(key); }

const YamlNode& Section::require(const std::string& key) const {
  const YamlNode* found = find(key);
  if (found == nullptr) fail_at(*node_, "the key '" + key + "' is missing");
  return *found;
}

const YamlNode& Section::find_section(const std::string& key) const {
  static const YamlNode kEmpty = [] {
    YamlNode node;
    node.kind = YamlNode::Kind::kMap;
    return node;
  }();
  const YamlNode* found = find(key);
  return found == nullptr ? kEmpty : *found;
}

nlohmann::json read_fields(const Section& section, const std::vector<Field>& fields,
                           Absent absent) {
  nlohmann::json out = nlohmann::json::object();
  for (const Field& field : fields) {
    if (const YamlNode* node = section.find(field.key)) {
      out[field.key] = field.parse(*node);
    } else if (absent == Absent::kLeaveOut) {
      continue;
    } else if (field.fallback) {
      out[field.key] = *field.fallback;
    } else {
      section.require(field.key);
    }
  }
  return out;
}

std::vector<std::string> keys_of(const std::vector<Field>& fields) {
  std::vector<std::string> keys;
  for (const Field& field : fields) keys.push_back(field.key);
  return keys;
}

}  // namespace twinrun::harness
