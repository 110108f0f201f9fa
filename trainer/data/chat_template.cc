#include "trainer/data/chat_template.h"

#include <algorithm>
#include <array>
#include <utility>

namespace twinrun::trainer {
namespace {

/// What Python's str.strip() takes away, which Jinja's `trim` is: in UTF-8.
constexpr std::array<std::string_view, 29> kWhiteSpace = {
    "\t",           "\n",           "\v",           "\f",           "\r",
    "\x1c",         "\x1d",         "\x1e",         "\x1f",         " ",
    "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81",
    "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86",
    "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8",
    "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};

std::string_view trim(std::string_view text) {
  const auto ends = [&](bool at_begin) {
    return std::ranges::find_if(kWhiteSpace, [&](std::string_view space) {
      return at_begin ? text.starts_with(space) : text.ends_with(space);
    });
  };
  for (auto space = ends(true); space != kWhiteSpace.end(); space = ends(true)) {
    text.remove_prefix(space->size());
  }
  for (auto space = ends(false); space != kWhiteSpace.end(); space = ends(false)) {
    text.remove_suffix(space->size());
  }
  return text;
}

RenderedSample render_chatml(std::span<const Turn> turns) {
  RenderedSample sample;
  for (const Turn& turn : turns) {
    sample.text += "<|im_start|>" + turn.role + "\n";
    const std::size_t begin = sample.text.size();
    sample.text += turn.content + "<|im_end|>";
    if (turn.role == "assistant") sample.labelled.push_back({begin, sample.text.size()});
    sample.text += "\n";
  }
  return sample;
}

RenderedSample render_llama3(std::span<const Turn> turns) {
  RenderedSample sample;
  sample.text = "<|begin_of_text|>";
  for (const Turn& turn : turns) {
    sample.text += "<|start_header_id|>" + turn.role + "<|end_header_id|>\n\n";
    const std::size_t begin = sample.text.size();
    sample.text += trim(turn.content);
    sample.text += "<|eot_id|>";
    if (turn.role == "assistant") sample.labelled.push_back({begin, sample.text.size()});
  }
  return sample;
}

RenderedSample render_mistral(std::span<const Turn> turns) {
  RenderedSample sample;
  sample.text = "<s>";
  std::string system;
  std::size_t message = 0;
  if (!turns.empty() && turns[0].role == "system") {
    if (turns.size() == 1) throw LineError("has a system message alone; a user's has to follow");
    system = turns[0].content + "\n\n";
    message = 1;
  }
  for (const char* wanted = "user"; message < turns.size(); ++message) {
    const Turn& turn = turns[message];
    if (turn.role != wanted) {
      throw LineError("message " + std::to_string(message) + " is of role '" + turn.role +
                      "', template mistral needs '" + wanted +
                      "' here: after a system message that may come first, user and assistant take "
                      "turns");
    }
    if (turn.role == "user") {
      sample.text += " [INST] " + system + turn.content + " [/INST]";
      system.clear();
      wanted = "assistant";
      continue;
    }
    // The space too is the assistant's: prompts end before it.
    const std::size_t begin = sample.text.size();
    sample.text += " " + turn.content + "</s>";
    sample.labelled.push_back({begin, sample.text.size()});
    wanted = "user";
  }
  return sample;
}

const std::array<ChatTemplate, 3> kChatTemplates = {
    ChatTemplate{.name = "chatml",
                 .tokens = {"<|im_start|>", "<|im_end|>"},
                 .turn_end = "<|im_end|>",
                 .render = render_chatml,
                 .generation = "<|im_start|>assistant\n"},
    ChatTemplate{
        .name = "llama3",
        .tokens = {"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
        .turn_end = "<|eot_id|>",
        .render = render_llama3,
        .generation = "<|start_header_id|>assistant<|end_header_id|>\n\n"},
    ChatTemplate{.name = "mistral",
                 .tokens = {"<s>", "</s>"},
                 .turn_end = "</s>",
                 .render = render_mistral,
                 .generation = ""}};

}  // namespace

const ChatTemplate* find_chat_template(std::string_view name) {
  const auto found = std::ranges::find(kChatTemplates, name, &ChatTemplate::name);
  return found == kChatTemplates.end() ? nullptr : &*found;
}

RenderedSample render_text(RenderedSample prompt, std::string_view response,
                           std::int64_t end_token_id) {
  RenderedSample sample = std::move(prompt);
  const std::size_t begin = sample.text.size();
  sample.text += response;
  sample.labelled.push_back({begin, sample.text.size()});
  sample.end_token_id = end_token_id;
  return sample;
}

std::string alpaca_prompt(std::string_view instruction, std::string_view input) {
  std::string text = "Below is an instruction that describes a task";
  text += input.empty() ? ". " : ", paired with an input that provides further context. ";
  text += "Write a response that appropriately completes the request.\n\n### Instruction:\n";
  text += instruction;
  if (!input.empty()) (text += "\n\n### Input:\n") += input;
  return text + "\n\n### Response:";
}

TokenizedSample tokenize(const RenderedSample& sample, const Tokenizer& tokenizer) {
  TokenizedSample result;
  if (sample.begin_token_id) {
    result.ids.push_back(*sample.begin_token_id);
    result.labelled.push_back(false);
  }
  for (const EncodedToken& token : tokenizer.encode_with_offsets(sample.text)) {
    result.ids.push_back(token.id);
    result.labelled.push_back(std::ranges::any_of(sample.labelled, [&](const auto& range) {
      return token.begin < range.end && range.begin < token.end;
    }));
  }
  if (sample.end_token_id) {
    result.ids.push_back(*sample.end_token_id);
    result.labelled.push_back(true);
  }
  return result;
}

}  // namespace twinrun::trainer
