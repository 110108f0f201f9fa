#include "trainer/data/jsonl_line.h"

#include <map>
#include <utility>

#include "harness/protocol/strict_json.h"
#include "trainer/data/dataset.h"
#include "trainer/data/input_file.h"

namespace twinrun::trainer {

using nlohmann::json;
using protocol::SampleId;

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

void read_json_lines(const std::filesystem::path& path, const char* things,
                     const std::function<SampleId(const json&, std::int64_t)>& read) {
  std::string text;
  try {
    text = read_input_file(path);
  } catch (const std::runtime_error& error) {
    throw DataError(error.what());
  }
  std::map<SampleId, std::int64_t> line_of;
  std::int64_t line_number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++line_number;
    try {
      std::string problem;
      const auto object = protocol::parse_strict_json(line, problem);
      if (!object) throw LineError(line.empty() ? "is empty" : problem);
      if (!object->is_object()) throw LineError("is not a JSON object");
      const auto [first, is_new] = line_of.emplace(read(*object, line_number - 1), line_number);
      if (!is_new) {
        throw LineError("has the id of line " + std::to_string(first->second) +
                        " (without 'id' it is the zero-based line number)");
      }
    } catch (const LineError& error) {
      throw DataError(path.string() + ":" + std::to_string(line_number) + ": " + error.what());
    }
  }
  if (line_number == 0) throw DataError(path.string() + ": has no " + things);
}

}  // namespace twinrun::trainer
