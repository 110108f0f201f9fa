#include "trainer/tokenizer/tokenizer_steps.h"

#include <string>

namespace twinrun::trainer {
namespace {

using nlohmann::json;

void read_byte_level(const JsonNode& node, bool use_regex) {
  node.require_known({"type", "add_prefix_space", "trim_offsets", "use_regex"});
  if (node.text("type") != "ByteLevel") node.fail_not_built("type");
  if (node.flag("add_prefix_space")) node.fail_not_built("add_prefix_space");
  if (node.flag_or("use_regex", true) != use_regex) node.fail_not_built("use_regex");
}

void read_digits(const JsonNode& node) {
  node.require_known({"type", "individual_digits"});
  if (!node.flag("individual_digits")) node.fail_not_built("individual_digits");
}

void read_llama3_split(const JsonNode& node) {
  node.require_known({"type", "pattern", "behavior", "invert"});
  const JsonNode pattern = node.child("pattern");
  pattern.require_known({"Regex"});
  if (pattern.text("Regex") != kLlama3Pattern) {
    pattern.fail("Regex", "is not Llama 3's regular expression, the one that is built");
  }
  if (node.text("behavior") != "Isolated") node.fail_not_built("behavior");
  if (node.flag("invert")) node.fail_not_built("invert");
}

// Tokens before and after the text, which are not wanted; the text itself has to stay as it is.
void check_template(const JsonNode& node) {
  node.require_known({"type", "single", "pair", "special_tokens"});
  int texts = 0;
  for (const JsonNode& piece : node.children("single")) {
    piece.require_known({"SpecialToken", "Sequence"});
    texts += piece.at("Sequence").is_null() ? 0 : 1;
  }
  if (texts != 1) node.fail("single", "does not hold the text once");
}

void check_post_processor(const JsonNode& node) {
  const std::string type = node.text("type");
  if (type == "ByteLevel") return;  // changes offsets only
  if (type == "TemplateProcessing") return check_template(node);
  if (type != "Sequence") node.fail_not_built("type");
  node.require_known({"type", "processors"});
  for (const JsonNode& part : node.children("processors")) {
    if (part.text("type") == "Sequence") part.fail_not_built("type");
    check_post_processor(part);
  }
}

}  // namespace

bool read_normalizer(const JsonNode& root) {
  if (root.at("normalizer").is_null()) return false;
  const JsonNode node = root.child("normalizer");
  if (node.text("type") != "NFC") node.fail_not_built("type");
  node.require_known({"type"});
  return true;
}

Pretokenizer read_pre_tokenizer(const JsonNode& root) {
  const JsonNode node = root.child("pre_tokenizer");
  const std::string type = node.text("type");
  if (type == "ByteLevel") {
    read_byte_level(node, true);
    return Pretokenizer::kGpt2;
  }
  if (type != "Sequence") node.fail_not_built("type");
  node.require_known({"type", "pretokenizers"});
  const auto parts = node.children("pretokenizers");
  if (parts.size() != 2) {
    node.fail("pretokenizers", "is neither [Digits, ByteLevel] nor [Split, ByteLevel]");
  }
  const std::string first = parts[0].text("type");
  if (first == "Digits") {
    read_digits(parts[0]);
    read_byte_level(parts[1], true);
    return Pretokenizer::kGpt2Digits;
  }
  if (first != "Split") parts[0].fail_not_built("type");
  read_llama3_split(parts[0]);
  read_byte_level(parts[1], false);
  return Pretokenizer::kLlama3;
}

void check_later_steps(const JsonNode& root) {
  if (!root.at("post_processor").is_null()) check_post_processor(root.child("post_processor"));
  if (!root.at("decoder").is_null()) {
    const JsonNode node = root.child("decoder");
    if (node.text("type") != "ByteLevel") node.fail_not_built("type");
  }
}

}  // namespace twinrun::trainer
