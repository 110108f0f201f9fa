#include "harness/protocol/inference_reader.h"

namespace twinrun::protocol {
namespace {

namespace fs = std::filesystem;

// Thrown and caught within this file only: the first thing that is wrong with the file.
[[noreturn]] void refuse(const std::string& reason, std::int64_t line, const std::string& what) {
  throw FileProblem{reason, line, what};
}

InferenceHeader read_header(std::string_view line) {
  auto header = parse_inference_header(line);
  if (const auto* wrong = std::get_if<LineProblem>(&header)) refuse("malformed", 1, wrong->what);
  return std::get<InferenceHeader>(std::move(header));
}

PromptOutput read_prompt(std::string_view line, std::int64_t number, const InferenceHeader& header,
                         std::int64_t expected) {
  auto parsed = parse_inference_prompt(line, header);
  if (const auto* wrong = std::get_if<LineProblem>(&parsed)) {
    refuse("malformed", number, wrong->what);
  }
  auto output = std::get<PromptOutput>(std::move(parsed));
  const std::string found = "prompt " + std::to_string(output.prompt);
  if (output.prompt < expected) refuse("repeated_prompt", number, found + " stands there again");
  if (output.prompt > expected) {
    refuse("missing_prompt", number,
           found + " follows where prompt " + std::to_string(expected) + " has to stand");
  }
  return output;
}

// As many top entries everywhere: `top`, or the whole vocabulary where that is smaller.
void check_top_entries(const InferenceFile& file) {
  const auto entries = file.outputs.front().top.front().size();
  for (const PromptOutput& output : file.outputs) {
    if (output.top.front().size() == entries) continue;
    refuse("malformed", output.prompt + 2,
           "field 'top' has " + std::to_string(output.top.front().size()) +
               " entries a position, where prompt 0 has " + std::to_string(entries));
  }
}

void check_count(const InferenceHeader& header, std::int64_t found, const SealedFile& end) {
  if (found < header.prompts) {
    refuse("missing_prompt", end.lines,
           "ends after " + std::to_string(found) + " of " + std::to_string(header.prompts) +
               " prompts");
  }
  if (found > header.prompts) {
    refuse("extra_line", header.prompts + 2,
           "has more prompts than the " + std::to_string(header.prompts) + " of the header");
  }
  if (end.count != found) {
    refuse("malformed", end.lines,
           "the end line counts " + std::to_string(end.count) + " prompts, " +
               std::to_string(found) + " are there");
  }
}

InferenceFile read_good(const fs::path& file) {
  const SealedFile end = check_sealed_file(file, kInferenceSeal);
  LineReader reader(file);
  const auto first = reader.next();
  if (!first) refuse("unreadable", 1, "changes while it is read");
  InferenceFile result;
  result.header = read_header(*first);
  for (std::int64_t number = 2; number < end.lines; ++number) {
    const auto line = reader.next();
    if (!line) refuse("unreadable", number, "changes while it is read");
    result.outputs.push_back(read_prompt(*line, number, result.header, number - 2));
  }
  check_count(result.header, static_cast<std::int64_t>(result.outputs.size()), end);
  check_top_entries(result);
  result.sha256 = end.sha256;
  return result;
}

}  // namespace

std::variant<InferenceFile, InferenceProblem> read_inference(const fs::path& file) {
  try {
    return read_good(file);
  } catch (const FileProblem& problem) {
    return problem;
  } catch (const std::runtime_error& error) {
    return InferenceProblem{"unreadable", 0, error.what()};
  }
}

}  // namespace twinrun::protocol
