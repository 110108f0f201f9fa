#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/protocol/record.h"
#include "trainer/data/chat_template.h"

namespace twinrun::trainer {

// What the readers of JSONL files of samples and of prompts have in common.

/// The string `key` of `object`. Throws LineError, `place` naming the object.
const std::string& text_of(const nlohmann::json& object, const char* key, const std::string& place);

/// Throws LineError for what is no list of {role, content}, an unknown role, another key.
std::vector<Turn> turns_of(const nlohmann::json& messages);

/// `id`, or the zero-based number of the line.
protocol::SampleId id_of(const nlohmann::json& object, std::int64_t line_index);

/// Calls `read` with the object of each line and its zero-based number; `read` returns its id.
/// Throws DataError (`FILE:LINE: ...`) for a line that is no JSON object, an id that an earlier
/// line has, a LineError of `read`; and for a file that cannot be read or has no line, which
/// `things` names.
void read_json_lines(
    const std::filesystem::path& path, const char* things,
    const std::function<protocol::SampleId(const nlohmann::json&, std::int64_t)>& read);

}  // namespace twinrun::trainer
