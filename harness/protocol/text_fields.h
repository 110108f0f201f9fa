#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace twinrun::protocol {

// Fields of a line of data, or of a prompts file, that hold text: `messages`, `prompt`, `response`,
// `instruction`, `input`, `output`. Each template (docs/data.md) takes some of them: alpaca and
// text theirs, any other name what the chat templates take. Other fields than these are passed
// over, such as `category`.

/// For people: which field of a sample the template would lose without a word, and what it takes.
/// Empty if there is none. REQUIRES: `line` is an object.
std::string sample_fields_problem(const nlohmann::json& line, const std::string& template_name);

/// The same of a prompt, which is the sample without its answer, or `ids`. It has to have one of
/// the two, and only one.
std::string prompt_fields_problem(const nlohmann::json& line, const std::string& template_name);

}  // namespace twinrun::protocol
