#include "harness/infer/prompts_file.h"

#include <optional>

#include "harness/protocol/record_reader.h"
#include "harness/protocol/strict_json.h"
#include "harness/protocol/text_fields.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using protocol::SampleId;

/// What the identity says of prompts.
struct Rules {
  bool tokenizer;
  std::string template_name;  ///< empty: of a foreign trainer
};

Rules rules_of(const json& identity) {
  const json name = identity.value(json::json_pointer("/data/template"), json());
  return {identity.contains("tokenizer") || !identity.contains("model"),
          name.is_string() ? name.get<std::string>() : ""};
}

/// Why `line` is no prompt; empty if it is one. Its id goes into `id`.
std::string prompt_problem(std::string_view line, const Rules& rules, std::optional<SampleId>& id) {
  std::string problem = "not a JSON object";
  const auto object = protocol::parse_strict_json(line, problem);
  if (!object || !object->is_object()) return problem;
  if (object->contains("id")) {
    const auto& value = object->at("id");
    if (value.is_string()) id = value.get<std::string>();
    if (value.is_number_integer()) id = value.get<std::int64_t>();
    if (!id) return "field 'id' should be a string or an integer";
  }
  problem = protocol::prompt_fields_problem(*object, rules.template_name);
  if (!problem.empty()) return problem;
  for (const char* key : {"ids", "messages"}) {
    if (!object->contains(key)) continue;
    const auto& value = object->at(key);
    if (!value.is_array() || value.empty()) return "field '" + std::string(key) + "' is no prompt";
  }
  for (const char* key : {"prompt", "instruction"}) {
    if (!object->contains(key)) continue;
    const auto& value = object->at(key);
    if (!value.is_string() || value == "") return "field '" + std::string(key) + "' is no prompt";
  }
  if (rules.tokenizer || object->contains("ids")) return "";
  return "the model has no tokenizer, so prompts are given as \"ids\":[...]";
}

}  // namespace

PromptsFile read_prompts_file(const std::filesystem::path& file, const json& identity) {
  const Rules rules = rules_of(identity);
  PromptsFile prompts;
  protocol::LineReader reader(file);
  std::int64_t number = 0;
  while (const auto line = reader.next()) {
    std::optional<SampleId> id;
    const std::string problem = prompt_problem(*line, rules, id);
    if (!problem.empty()) {
      prompts.problem = file.string() + ":" + std::to_string(number + 1) + ": " + problem;
      return prompts;
    }
    prompts.ids.push_back(id.value_or(SampleId(number)));
    ++number;
  }
  return prompts;
}

}  // namespace twinrun::harness
