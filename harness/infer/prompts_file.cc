#include "harness/infer/prompts_file.h"

#include <optional>

#include "harness/protocol/record_reader.h"
#include "harness/protocol/strict_json.h"

namespace twinrun::harness {
namespace {

using protocol::SampleId;

/// Why `line` is no prompt; empty if it is one. Its id goes into `id`.
std::string prompt_problem(std::string_view line, bool tokenizer, std::optional<SampleId>& id) {
  std::string problem = "not a JSON object";
  const auto object = protocol::parse_strict_json(line, problem);
  if (!object || !object->is_object()) return problem;
  int sources = 0;
  for (const auto& item : object->items()) {
    const std::string& key = item.key();
    if (key == "id") {
      if (item.value().is_string()) id = item.value().get<std::string>();
      if (item.value().is_number_integer()) id = item.value().get<std::int64_t>();
      if (!id) return "field 'id' should be a string or an integer";
      continue;
    }
    if (key != "messages" && key != "prompt" && key != "ids") return "unknown field '" + key + "'";
    ++sources;
    const bool good =
        key == "prompt" ? item.value().is_string() && item.value() != "" : item.value().is_array();
    if (!good || item.value().empty()) return "field '" + key + "' is no prompt";
    if (key != "ids" && !tokenizer) {
      return "the model has no tokenizer, so prompts are given as \"ids\":[...]";
    }
  }
  return sources == 1 ? "" : "give one of messages, prompt and ids";
}

}  // namespace

PromptsFile read_prompts_file(const std::filesystem::path& file, bool tokenizer) {
  PromptsFile prompts;
  protocol::LineReader reader(file);
  std::int64_t number = 0;
  while (const auto line = reader.next()) {
    std::optional<SampleId> id;
    const std::string problem = prompt_problem(*line, tokenizer, id);
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
