#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "harness/protocol/strict_json.h"
#include "trainer/data/chat_template.h"
#include "trainer/data/dataset.h"
#include "trainer/data/input_file.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;
using protocol::SampleId;

// What is wrong with a line; load_jsonl says which.
struct LineError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

const std::string& text_of(const json& object, const char* key, const std::string& place) {
  const auto found = object.find(key);
  if (found == object.end()) throw LineError(place + " has no '" + key + "'");
  if (!found->is_string()) throw LineError(place + " has a '" + key + "' that is no string");
  return found->get_ref<const std::string&>();
}

std::vector<Turn> turns_of(const json& messages) {
  if (!messages.is_array() || messages.empty()) {
    throw LineError("'messages' is no list, or an empty one");
  }
  std::vector<Turn> turns;
  for (const json& message : messages) {
    const std::string place = "message " + std::to_string(turns.size());
    if (!message.is_object()) throw LineError(place + " is no object");
    Turn turn{text_of(message, "role", place), text_of(message, "content", place)};
    if (turn.role != "system" && turn.role != "user" && turn.role != "assistant") {
      throw LineError(place + " has the unknown role '" + turn.role +
                      "'; known: system, user, assistant");
    }
    // Such as tool_calls or weight: it would be lost without a word.
    for (const auto& [key, value] : message.items()) {
      if (key != "role" && key != "content")
        throw LineError(place + " has the unknown key '" + key + "'");
    }
    turns.push_back(std::move(turn));
  }
  return turns;
}

RenderedSample render(const json& object, const DataOptions& options) {
  const bool has_messages = object.contains("messages");
  if (has_messages && (object.contains("prompt") || object.contains("response"))) {
    throw LineError("has both 'messages' and 'prompt' or 'response'");
  }
  if (options.template_name == "chatml") {
    if (has_messages) return render_chatml(turns_of(object["messages"]));
    const Turn turns[] = {{"user", text_of(object, "prompt", "the sample")},
                          {"assistant", text_of(object, "response", "the sample")}};
    return render_chatml(turns);
  }
  if (has_messages) throw LineError("has 'messages'; template text takes 'prompt' and 'response'");
  return render_text(text_of(object, "prompt", "the sample"),
                     text_of(object, "response", "the sample"), *options.end_token_id);
}

SampleId id_of(const json& object, std::int64_t line_index) {
  const auto found = object.find("id");
  if (found == object.end() || found->is_null()) return line_index;
  if (found->is_string()) return found->get<std::string>();
  constexpr std::int64_t kIdMax = (std::int64_t{1} << 53) - 1;
  const bool fits = found->is_number_unsigned()
                        ? found->get<std::uint64_t>() <= static_cast<std::uint64_t>(kIdMax)
                        : found->is_number_integer() && found->get<std::int64_t>() >= -kIdMax;
  if (!fits)
    throw LineError("has an id that is neither a string nor an integer within +-(2^53 - 1)");
  return found->get<std::int64_t>();
}

Sample read_sample(std::string_view line, std::int64_t line_index, const DataOptions& options,
                   const BpeTokenizer& tokenizer) {
  std::string problem;
  const auto object = protocol::parse_strict_json(line, problem);
  if (!object) throw LineError(line.empty() ? "is empty" : problem);
  if (!object->is_object()) throw LineError("is not a JSON object");
  Sample sample;
  sample.id = id_of(*object, line_index);
  TokenizedSample tokens = tokenize(render(*object, options), tokenizer);
  sample.input_ids = std::move(tokens.ids);
  for (std::size_t i = 0; i < sample.input_ids.size(); ++i) {
    const bool labelled = options.loss_on == "all" || tokens.labelled[i];
    sample.labels.push_back(labelled ? sample.input_ids[i] : kIgnoreIndex);
  }
  return sample;
}

void require_label(const Sample& sample) {
  const auto labels =
      std::span(sample.labels).subspan(std::min<std::size_t>(1, sample.labels.size()));
  if (std::ranges::all_of(labels, [](std::int64_t label) { return label == kIgnoreIndex; })) {
    throw LineError("has no labelled token: nothing to learn from");
  }
}

void check_options(const DataOptions& options, const BpeTokenizer& tokenizer) {
  const std::string& name = options.template_name;
  if (name != "chatml" && name != "text") {
    throw DataError("unknown template '" + name + "'; known: chatml, text");
  }
  if (options.loss_on != "response" && options.loss_on != "all") {
    throw DataError("unknown loss_on '" + options.loss_on + "'; known: response, all");
  }
  if (name == "text" && !options.end_token_id) {
    throw DataError("template text needs an eos_token_id in the model's config.json");
  }
  for (const char* token : {"<|im_start|>", "<|im_end|>"}) {
    if (name == "chatml" && tokenizer.encode(token).size() != 1) {
      throw DataError("template chatml needs the token " + std::string(token) +
                      ", which the tokenizer lacks");
    }
  }
}

}  // namespace

Dataset load_jsonl(const DataOptions& options, const BpeTokenizer& tokenizer) {
  check_options(options, tokenizer);
  std::string text;
  try {
    text = read_input_file(options.path);
  } catch (const std::runtime_error& error) {
    throw DataError(error.what());
  }
  Dataset dataset;
  std::map<SampleId, std::int64_t> line_of;
  std::int64_t line_number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++line_number;
    try {
      Sample sample = read_sample(line, line_number - 1, options, tokenizer);
      const auto [first, is_new] = line_of.emplace(sample.id, line_number);
      if (!is_new) {
        throw LineError("has the id of line " + std::to_string(first->second) +
                        " (without 'id' a sample has its zero-based line number)");
      }
      if (static_cast<std::int64_t>(sample.input_ids.size()) > options.max_length) {
        ++dataset.dropped;
        continue;
      }
      require_label(sample);
      dataset.samples.push_back(std::move(sample));
    } catch (const LineError& error) {
      throw DataError(options.path.string() + ":" + std::to_string(line_number) + ": " +
                      error.what());
    }
  }
  if (line_number == 0) throw DataError(options.path.string() + ": has no samples");
  if (dataset.samples.empty()) {
    throw DataError(options.path.string() + ": all " + std::to_string(dataset.dropped) +
                    " samples are longer than max_length = " + std::to_string(options.max_length));
  }
  return dataset;
}

}  // namespace twinrun::trainer
