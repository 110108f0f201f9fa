#include "trainer/data/template.h"

#include <utility>
#include <vector>

#include "harness/protocol/text_fields.h"
#include "trainer/data/dataset.h"
#include "trainer/data/folder_template.h"
#include "trainer/data/jsonl_line.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;

/// The optional field of alpaca.
std::string input_of(const json& object) {
  return object.contains("input") ? text_of(object, "input", "the sample") : "";
}

void require_tokens(const ChatTemplate& chat, const TemplateOptions& options,
                    const Tokenizer& tokenizer) {
  for (const std::string_view token : chat.tokens) {
    if (tokenizer.token_id(token) && tokenizer.encode(token).size() == 1) continue;
    throw DataError("template " + options.name + " needs the token " + std::string(token) +
                    ", which " + tokenizer_file(options.model_folder).string() +
                    " lacks; render the data as that model needs it and use `template: text`");
  }
}

}  // namespace

Template::Template(const TemplateOptions& options, const Tokenizer& tokenizer)
    : options_(options), chat_(find_chat_template(options.name)) {
  if (chat_ != nullptr) {
    require_tokens(*chat_, options_, tokenizer);
    require_template_of_folder(options_.model_folder, options_.name);
    return;
  }
  if (options_.name != "alpaca" && options_.name != "text") {
    throw DataError("unknown template '" + options_.name +
                    "'; known: chatml, llama3, mistral, alpaca, text");
  }
  if (!options_.end_token_id) {
    throw DataError("template " + options_.name +
                    " needs an eos_token_id in the model's config.json");
  }
  bos_ = twinrun::trainer::begin_token(options_);
  if (bos_.empty()) return;
  const auto ids = tokenizer.encode(bos_);
  if (ids.size() != 1) {
    throw DataError(options_.model_folder.string() + ": texts begin with " + bos_ +
                    ", which is no token of the tokenizer");
  }
  bos_id_ = ids[0];
}

RenderedSample Template::begun(std::string prompt) const {
  RenderedSample sample;
  if (!prompt.starts_with(bos_)) sample.begin_token_id = bos_id_;
  sample.text = std::move(prompt);
  return sample;
}

RenderedSample Template::sample(const json& object) const {
  const std::string problem = protocol::sample_fields_problem(object, options_.name);
  if (!problem.empty()) throw LineError(problem);
  if (chat_ != nullptr) {
    if (object.contains("messages")) return chat_->render(turns_of(object["messages"]));
    const std::vector<Turn> turns = {{"user", text_of(object, "prompt", "the sample")},
                                     {"assistant", text_of(object, "response", "the sample")}};
    return chat_->render(turns);
  }
  if (options_.name == "alpaca") {
    return render_text(
        begun(alpaca_prompt(text_of(object, "instruction", "the sample"), input_of(object))),
        text_of(object, "output", "the sample"), *options_.end_token_id);
  }
  return render_text(begun(text_of(object, "prompt", "the sample")),
                     text_of(object, "response", "the sample"), *options_.end_token_id);
}

RenderedSample Template::prompt(const json& object) const {
  if (options_.name == "alpaca") {
    return begun(alpaca_prompt(text_of(object, "instruction", "the prompt"), input_of(object)));
  }
  if (chat_ == nullptr) return begun(text_of(object, "prompt", "the prompt"));
  // No conditional expression: in one GCC 12 destroys the list of the branch not taken where the
  // other throws.
  std::vector<Turn> turns;
  if (object.contains("messages")) {
    turns = turns_of(object["messages"]);
  } else {
    turns.push_back({"user", text_of(object, "prompt", "the prompt")});
  }
  if (turns.back().role == "assistant") {
    throw LineError("ends with a message of the assistant, so there is nothing to answer");
  }
  RenderedSample prompt;
  prompt.text = chat_->render(turns).text + std::string(chat_->generation);
  return prompt;
}

std::string begin_token(const TemplateOptions& options) {
  if (find_chat_template(options.name) != nullptr) return "";
  return bos_of_folder(options.model_folder);
}

std::optional<std::int64_t> stop_token(const TemplateOptions& options, const Tokenizer* tokenizer) {
  const auto* chat = find_chat_template(options.name);
  if (tokenizer == nullptr || chat == nullptr) return options.end_token_id;
  return tokenizer->token_id(chat->turn_end);
}

}  // namespace twinrun::trainer
