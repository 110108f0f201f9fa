#include "harness/protocol/text_fields.h"

#include <algorithm>
#include <vector>

namespace twinrun::protocol {
namespace {

using nlohmann::json;
using Fields = std::vector<const char*>;

constexpr const char* kTextFields[] = {"messages",    "prompt", "response",
                                       "instruction", "input",  "output"};

/// What a template takes, and in words.
struct Taken {
  Fields fields;
  const char* words;
};

Taken of_sample(const std::string& name) {
  if (name == "alpaca") {
    return {{"instruction", "input", "output"}, "'instruction', 'input' and 'output'"};
  }
  if (name == "text") return {{"prompt", "response"}, "'prompt' and 'response'"};
  return {{"messages", "prompt", "response"}, "'messages', or 'prompt' and 'response'"};
}

Taken of_prompt(const std::string& name) {
  if (name == "alpaca") {
    return {{"ids", "instruction", "input"}, "'instruction' and 'input', or 'ids'"};
  }
  if (name == "text") return {{"ids", "prompt"}, "'prompt' or 'ids'"};
  return {{"ids", "messages", "prompt"}, "'messages', 'prompt' or 'ids'"};
}

bool is_one_of(const char* field, const Fields& fields) {
  return std::ranges::find(fields, std::string_view(field)) != fields.end();
}

std::string takes(const std::string& name, const Taken& taken) {
  return (name.empty() ? "the trainer" : "template " + name) + " takes " + taken.words;
}

std::string problem(const json& line, const std::string& name, const Taken& taken) {
  // These two say all of it.
  Fields fields = taken.fields;
  std::string beside;
  for (const char* whole : {"messages", "ids"}) {
    if (!is_one_of(whole, taken.fields) || !line.contains(whole)) continue;
    fields = {whole};
    beside = " beside '" + std::string(whole) + "'";
  }
  for (const char* field : kTextFields) {
    if (!line.contains(field) || is_one_of(field, fields)) continue;
    return "has '" + std::string(field) + "'" + beside + "; " + takes(name, taken);
  }
  return "";
}

}  // namespace

std::string sample_fields_problem(const json& line, const std::string& template_name) {
  return problem(line, template_name, of_sample(template_name));
}

std::string prompt_fields_problem(const json& line, const std::string& template_name) {
  for (const char* answer : {"response", "output"}) {
    if (!line.contains(answer)) continue;
    return "has '" + std::string(answer) + "'; a prompt ends where the assistant begins to speak";
  }
  const Taken taken = of_prompt(template_name);
  const std::string other = problem(line, template_name, taken);
  if (!other.empty()) return other;
  const auto says_it = [&](std::string_view field) {
    return field != "input" && line.contains(field);
  };
  if (std::ranges::any_of(taken.fields, says_it)) return "";
  return "has no prompt; " + takes(template_name, taken);
}

}  // namespace twinrun::protocol
