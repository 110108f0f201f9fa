#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/protocol/record.h"

namespace twinrun::harness {

/// A prompts file of docs/protocol.md section 10, as far as the judge reads it.
struct PromptsFile {
  std::vector<protocol::SampleId> ids;  ///< of a prompt without one its zero-based line number
  std::string problem;                  ///< "FILE:LINE: what is wrong"; empty if nothing is
};

/// `identity` is that of the case: its template says which fields a prompt has, and without a
/// tokenizer prompts are ids. Throws std::runtime_error if the file cannot be read.
PromptsFile read_prompts_file(const std::filesystem::path& file, const nlohmann::json& identity);

}  // namespace twinrun::harness
