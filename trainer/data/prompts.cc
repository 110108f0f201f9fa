#include "trainer/data/prompts.h"

#include <utility>

#include "harness/protocol/text_fields.h"
#include "trainer/data/jsonl_line.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;

std::vector<std::int64_t> ids_of(const json& list) {
  if (!list.is_array()) throw LineError("'ids' is no list");
  std::vector<std::int64_t> ids;
  for (const json& id : list) {
    if (!id.is_number_integer()) throw LineError("'ids' holds " + id.dump() + ", which is no id");
    // Beyond 2^63 it turns negative, which no vocabulary has.
    ids.push_back(id.get<std::int64_t>());
  }
  return ids;
}

Prompt read_prompt(const json& object, std::int64_t line_index, const PromptOptions& options,
                   const Template* rendering, const Tokenizer* tokenizer) {
  const std::string problem = protocol::prompt_fields_problem(object, options.rendering.name);
  if (!problem.empty()) throw LineError(problem);
  Prompt prompt;
  prompt.id = id_of(object, line_index);
  if (object.contains("ids")) {
    prompt.ids = ids_of(object["ids"]);
  } else if (rendering == nullptr) {
    throw LineError("is text, but the model has no tokenizer; give its 'ids'");
  } else {
    const RenderedSample rendered = rendering->prompt(object);
    prompt.text = (rendered.begin_token_id ? rendering->begin_token() : "") + rendered.text;
    prompt.ids = tokenize(rendered, *tokenizer).ids;
  }
  if (prompt.ids.empty()) throw LineError("has no token");
  for (const auto id : prompt.ids) {
    if (id < 0 || id >= options.vocab_size) {
      throw LineError("id " + std::to_string(id) + " lies outside the model's vocab_size " +
                      std::to_string(options.vocab_size));
    }
  }
  return prompt;
}

}  // namespace

std::vector<Prompt> load_prompts(const PromptOptions& options, const Tokenizer* tokenizer) {
  std::optional<Template> rendering;
  if (tokenizer != nullptr) rendering.emplace(options.rendering, *tokenizer);
  std::vector<Prompt> prompts;
  read_json_lines(options.path, "prompts", [&](const json& object, std::int64_t line_index) {
    prompts.push_back(
        read_prompt(object, line_index, options, rendering ? &*rendering : nullptr, tokenizer));
    return prompts.back().id;
  });
  return prompts;
}

bool are_ids_of(std::string_view text, const std::vector<std::int64_t>& ids,
                std::string_view begin_token, const Tokenizer& tokenizer) {
  if (tokenizer.encode(text) == ids) return true;
  if (begin_token.empty() || !text.starts_with(begin_token)) return false;
  auto begun = tokenizer.encode(begin_token);
  const auto rest = tokenizer.encode(text.substr(begin_token.size()));
  begun.insert(begun.end(), rest.begin(), rest.end());
  return begun == ids;
}

}  // namespace twinrun::trainer
