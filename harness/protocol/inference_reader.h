#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "harness/protocol/inference.h"
#include "harness/protocol/record_reader.h"
#include "harness/protocol/sealed_file.h"

namespace twinrun::protocol {

/// Strict parsers of whole lines (without line feed), as those of record_reader.h. What one line
/// says by itself is checked in full: of the header types and ranges; of a prompt that every
/// log-probability is finite, not positive and agrees with its bits, that lists have the lengths
/// that the header announces, that `top` falls and holds no more than the whole probability, that
/// the token which was taken is a most probable one, that text is null just where the header allows
/// it. `forced` is checked for its form; which tokens it is of, only the reference knows.
Parsed<InferenceHeader> parse_inference_header(std::string_view line);
Parsed<PromptOutput> parse_inference_prompt(std::string_view line, const InferenceHeader& header);

/// A file of docs/protocol.md section 10 that holds: every line is good, the prompts are those that
/// the header announces, in order, and the end line has the digest of the rest.
struct InferenceFile {
  Digest sha256{};  ///< of all bytes
  InferenceHeader header;
  std::vector<PromptOutput> outputs;  ///< at least one
};

/// Why it does not hold: the reasons of FileProblem, `malformed` for any line that was written
/// wrong, and, though the digest holds, `missing_prompt`, `repeated_prompt`, `extra_line`.
using InferenceProblem = FileProblem;

std::variant<InferenceFile, InferenceProblem> read_inference(const std::filesystem::path& file);

}  // namespace twinrun::protocol
