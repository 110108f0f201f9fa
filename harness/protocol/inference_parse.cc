#include <bit>
#include <cmath>
#include <set>

#include "harness/protocol/inference_reader.h"
#include "harness/protocol/line_fields.h"
#include "harness/protocol/line_text.h"

namespace twinrun::protocol {
namespace {

using nlohmann::json;

std::string indexed(const std::string& field, std::size_t index) {
  return field + "[" + std::to_string(index) + "]";
}

std::string name(const json& object, const char* field) {
  std::string text = string_value(object.at(field), field);
  if (text.empty()) fail_field(field, "a name", object.at(field));
  return text;
}

const json& mapping(const json& object, const char* field) {
  if (!object.at(field).is_object()) fail_field(field, "an object", object.at(field));
  return object.at(field);
}

std::optional<std::string> text_or_null(const json& object, const char* field) {
  if (object.at(field).is_null()) return std::nullopt;
  return string_value(object.at(field), field);
}

// A logarithm of a probability. Infinite is what a probability of zero would give, and no softmax
// in float32 of finite logits within reach of each other; the judge could not compare it.
float checked(float logprob, const std::string& field, const json& found) {
  if (!(std::isfinite(logprob) && logprob <= 0)) {
    fail_field(field, "the logarithm of a probability, finite and not above 0", found);
  }
  return logprob;
}

std::vector<float> logprobs(const json& list, const std::string& field) {
  std::vector<float> values;
  for (const json& item : list_value(list, field)) {
    const std::string at = indexed(field, values.size());
    values.push_back(checked(float_value(item, at), at, item));
  }
  return values;
}

TokenLogprob token_logprob(const json& pair, const std::string& field) {
  if (!pair.is_array() || pair.size() != 2) fail_field(field, "a pair of id and bits", pair);
  return {integer_value(pair[0], field, 0), checked(float_bits_value(pair[1], field), field, pair)};
}

std::vector<TokenLogprob> token_logprobs(const json& list, const std::string& field) {
  std::vector<TokenLogprob> values;
  for (const json& item : list_value(list, field)) {
    values.push_back(token_logprob(item, indexed(field, values.size())));
  }
  return values;
}

void check_mass(double mass, const std::string& field, const json& found) {
  // Rounding of the exponents: a few units in the last place of float32 each.
  constexpr double kMassMax = 1 + 1e-4;
  if (!(mass <= kMassMax)) fail_field(field, "of no more than the whole probability", found);
}

void check_top(const std::vector<TokenLogprob>& top, const std::string& field, const json& found) {
  std::set<std::int64_t> ids;
  double mass = 0;
  for (std::size_t i = 0; i < top.size(); ++i) {
    if (!ids.insert(top[i].id).second) fail_field(field, "no token twice", found);
    mass += std::exp(static_cast<double>(top[i].logprob));
    if (i == 0) continue;
    const bool falls = top[i].logprob < top[i - 1].logprob ||
                       (top[i].logprob == top[i - 1].logprob && top[i].id > top[i - 1].id);
    if (!falls) fail_field(field, "falling, of equals the smaller id first", found);
  }
  check_mass(mass, field, found);
}

void check_lengths(const PromptOutput& output, const InferenceHeader& header) {
  const auto tokens = output.tokens.size();
  const auto most = static_cast<std::size_t>(header.max_new_tokens);
  if (tokens == 0 || tokens > most) {
    throw BadField("field 'tokens' should have 1 to " + std::to_string(most) + " tokens, has " +
                   std::to_string(tokens));
  }
  if (output.finish == Finish::kLength && tokens != most) {
    throw BadField("field 'finish' is length, but only " + std::to_string(tokens) + " of " +
                   std::to_string(most) + " tokens are there");
  }
  const auto wants = [tokens](std::size_t found, const char* field) {
    if (found == tokens) return;
    throw BadField("field '" + std::string(field) + "' should have one entry for each of the " +
                   std::to_string(tokens) + " tokens, has " + std::to_string(found));
  };
  wants(output.logprobs.size(), "logprobs");
  wants(output.top.size(), "top");
}

// Greedy: the token that was taken is a most probable one. Of equals any may have been, and where
// `top` holds nothing but equals, one that stands behind its end.
bool taken_greedily(std::int64_t token, float logprob, const std::vector<TokenLogprob>& top) {
  if (!same_bits(logprob, top.front().logprob)) return false;
  for (const TokenLogprob& entry : top) {
    if (entry.id == token) return same_bits(entry.logprob, logprob);
  }
  return same_bits(top.back().logprob, logprob);
}

void check_greedy(const PromptOutput& output, std::int64_t top_max) {
  const std::size_t entries = output.top.front().size();
  for (std::size_t i = 0; i < output.tokens.size(); ++i) {
    const auto& top = output.top[i];
    if (top.size() != entries || top.empty() || top.size() > static_cast<std::size_t>(top_max)) {
      throw BadField("field '" + indexed("top", i) + "' should have 1 to " +
                     std::to_string(top_max) + " entries, as many at every position, has " +
                     std::to_string(top.size()));
    }
    if (!taken_greedily(output.tokens[i], output.logprobs[i], top)) {
      throw BadField("field '" + indexed("tokens", i) + "': token " +
                     std::to_string(output.tokens[i]) + " with bits " +
                     bits_text(output.logprobs[i]) + " is not the most probable one of 'top' (" +
                     std::to_string(top.front().id) + " with " + bits_text(top.front().logprob) +
                     "): generated greedily it would be");
    }
  }
}

ForcedTokens forced_tokens(const json& object) {
  require_fields(object, {"logprobs", "best", "top"}, "forced");
  ForcedTokens forced;
  forced.logprobs = logprobs(object.at("logprobs"), "forced.logprobs");
  forced.best = token_logprobs(object.at("best"), "forced.best");
  for (const json& list : list_value(object.at("top"), "forced.top")) {
    const std::string field = indexed("forced.top", forced.top.size());
    std::vector<float> values;
    double mass = 0;
    for (const json& bits : list_value(list, field)) {
      values.push_back(checked(float_bits_value(bits, field), field, bits));
      mass += std::exp(static_cast<double>(values.back()));
    }
    check_mass(mass, field, list);
    forced.top.push_back(std::move(values));
  }
  if (forced.logprobs.empty() || forced.best.size() != forced.logprobs.size() ||
      forced.top.size() != forced.logprobs.size()) {
    throw BadField("field 'forced' should have as many entries in logprobs, best and top, and any");
  }
  return forced;
}

std::vector<std::int64_t> token_ids(const json& object, const char* field) {
  std::vector<std::int64_t> ids;
  for (const json& id : list_value(object.at(field), field)) {
    ids.push_back(integer_value(id, indexed(field, ids.size()), 0));
  }
  if (ids.empty()) fail_field(field, "tokens", object.at(field));
  return ids;
}

PromptOutput prompt_output(const json& object, const InferenceHeader& header) {
  PromptOutput output;
  output.prompt = integer_value(object.at("prompt"), "prompt", 0);
  output.id = sample_id_value(object.at("id"), "id");
  output.text = text_or_null(object, "text");
  output.ids = token_ids(object, "ids");
  output.tokens = token_ids(object, "tokens");
  output.completion = text_or_null(object, "completion");
  const bool tokenizer = !header.tokenizer.empty();
  if (output.completion.has_value() != tokenizer) {
    fail_field("completion", tokenizer ? "a text" : "null, since there is no tokenizer",
               object.at("completion"));
  }
  if (output.text && !tokenizer) {
    fail_field("text", "null, since there is no tokenizer", object.at("text"));
  }
  const std::string finish = string_value(object.at("finish"), "finish");
  if (finish != "stop" && finish != "length") {
    fail_field("finish", "stop or length", object.at("finish"));
  }
  output.finish = finish == "stop" ? Finish::kStop : Finish::kLength;
  output.logprobs = logprobs(object.at("logprobs"), "logprobs");
  for (const json& list : list_value(object.at("top"), "top")) {
    const std::string field = indexed("top", output.top.size());
    output.top.push_back(token_logprobs(list, field));
    check_top(output.top.back(), field, list);
  }
  check_lengths(output, header);
  check_greedy(output, header.top);
  if (object.at("forced").is_null() == header.reference.has_value()) {
    fail_field("forced", header.reference ? "there: the header names a reference" : "null",
               object.at("forced"));
  }
  if (header.reference) output.forced = forced_tokens(object.at("forced"));
  return output;
}

}  // namespace

Parsed<InferenceHeader> parse_inference_header(std::string_view line) {
  try {
    const json object =
        parse_object(line, {"schema", "format", "made_by", "promise", "numerics", "arithmetic",
                            "platform", "dtype", "model", "tokenizer", "adapter", "prompts",
                            "max_new_tokens", "batch_size", "top", "reference"});
    InferenceHeader header;
    if (object.at("schema") != json(kInferenceSchema) || !object.at("schema").is_number_integer()) {
      fail_field("schema", std::to_string(kInferenceSchema) + ", the version this program knows",
                 object.at("schema"));
    }
    if (object.at("format") != kInferenceFormat) {
      fail_field("format", kInferenceFormat, object.at("format"));
    }
    require_fields(object.at("made_by"), {"program", "versions"}, "made_by");
    header.program = name(object.at("made_by"), "program");
    header.versions = mapping(object.at("made_by"), "versions");
    header.promise = promise_value(object.at("promise"), "promise");
    header.numerics = name(object, "numerics");
    header.arithmetic = name(object, "arithmetic");
    header.platform = mapping(object, "platform");
    header.dtype = name(object, "dtype");
    header.model = mapping(object, "model");
    header.tokenizer = mapping(object, "tokenizer");
    header.adapter = to_hex(digest_value(object.at("adapter"), "adapter"));
    header.prompts = integer_value(object.at("prompts"), "prompts", 1);
    header.max_new_tokens = integer_value(object.at("max_new_tokens"), "max_new_tokens", 1);
    header.batch_size = integer_value(object.at("batch_size"), "batch_size", 1);
    header.top = integer_value(object.at("top"), "top", 1);
    if (!object.at("reference").is_null()) {
      header.reference = to_hex(digest_value(object.at("reference"), "reference"));
    }
    return header;
  } catch (const BadField& problem) {
    return LineProblem{problem.what()};
  }
}

Parsed<PromptOutput> parse_inference_prompt(std::string_view line, const InferenceHeader& header) {
  try {
    return prompt_output(parse_object(line, {"prompt", "id", "text", "ids", "tokens", "completion",
                                             "finish", "logprobs", "top", "forced"}),
                         header);
  } catch (const BadField& problem) {
    return LineProblem{problem.what()};
  }
}

}  // namespace twinrun::protocol
