#include "trainer/data/held_out.h"

#include <utility>

#include "trainer/data/jsonl_line.h"
#include "trainer/data/jsonl_sample.h"
#include "trainer/data/template.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;

/// Takes the last answer out of a row that Template::sample takes; what is left is a prompt.
std::string take_answer(json& row, const std::string& template_name) {
  if (const auto messages = row.find("messages"); messages != row.end()) {
    const json last = messages->back();
    if (last.at("role") != "assistant") {
      throw LineError("does not end with a message of the assistant: there is no reference answer");
    }
    messages->erase(messages->size() - 1);
    return last.at("content").get<std::string>();
  }
  const char* const field = template_name == "alpaca" ? "output" : "response";
  auto answer = row.at(field).get<std::string>();
  for (const char* no_prompt : {"output", "response"}) row.erase(no_prompt);
  return answer;
}

std::optional<std::string> name_of(const json& row, const std::string& field) {
  const auto found = row.find(field);
  if (found == row.end() || found->is_null()) return std::nullopt;
  std::string name = found->is_string() ? found->get<std::string>() : "";
  if (name.empty()) throw LineError("has a " + field + " that is no text, or an empty one");
  return name;
}

}  // namespace

HeldOut load_held_out(const DataOptions& options, const Tokenizer& tokenizer) {
  const Template rendering(options.rendering, tokenizer);
  require_loss_on(options.loss_on);
  HeldOut data;
  read_json_lines(options.path, "rows", [&](const json& object, std::int64_t line_index) {
    Sample sample = sample_of(object, line_index, rendering, options.loss_on, tokenizer);
    require_label(sample);
    const auto length = static_cast<std::int64_t>(sample.input_ids.size());
    if (length > options.max_length) {
      throw LineError("has " + std::to_string(length) + " tokens, more than the max_length " +
                      std::to_string(options.max_length) +
                      " of evaluation: raise it, or shorten the row");
    }
    json prompt = object;
    data.references.push_back(take_answer(prompt, options.rendering.name));
    data.prompts.push_back(tokenize(rendering.prompt(prompt), tokenizer).ids);
    if (data.prompts.back().empty()) throw LineError("has no token before its answer");
    data.categories.push_back(name_of(object, "category"));
    data.clusters.push_back(name_of(object, "cluster"));
    data.samples.push_back(std::move(sample));
    return data.samples.back().id;
  });
  return data;
}

}  // namespace twinrun::trainer
