#include <system_error>

#include "harness/protocol/inference_reader.h"
#include "harness/protocol/line_fields.h"
#include "harness/protocol/strict_json.h"

namespace twinrun::protocol {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Thrown and caught within this file only: the first thing that is wrong with the file.
[[noreturn]] void refuse(const std::string& reason, std::int64_t line, const std::string& what) {
  throw InferenceProblem{reason, line, what};
}

struct FileEnd {
  std::int64_t lines = 0;  ///< with the end line
  std::int64_t prompts = 0;
  Digest sha256{};  ///< of the whole file
};

std::optional<FileEnd> parse_end_line(std::string_view line, const Digest& before) {
  std::string problem;
  const auto object = parse_strict_json(line, problem);
  if (!object || !object->is_object() || !object->contains("end")) return std::nullopt;
  require_fields(*object, {"end", "prompts", "sha256"}, "");
  if (object->at("end") != json(true)) fail_field("end", "true", object->at("end"));
  FileEnd end;
  end.prompts = integer_value(object->at("prompts"), "prompts", 0);
  const Digest stated = digest_value(object->at("sha256"), "sha256");
  if (stated != before) {
    throw InferenceProblem{"digest_mismatch", 0,
                           "what stands before the end line is not what it was written behind: "
                           "its SHA-256 is " +
                               to_hex(before)};
  }
  return end;
}

// What has to be known before damage can be told: that the file is one of this kind, and that its
// end is written as this program knows it.
void check_format(std::string_view line) {
  std::string problem;
  const auto object = parse_strict_json(line, problem);
  if (!object && line.find(kInferenceFormat) != line.npos) return;  // damaged
  if (!object || !object->is_object() || object->value("format", json()) != kInferenceFormat) {
    refuse("malformed", 1,
           "is no file of inference outputs: the first line has no \"format\":\"" +
               std::string(kInferenceFormat) + "\"");
  }
  const json schema = object->value("schema", json());
  if (schema.is_number_integer() && schema > json(kInferenceSchema)) {
    refuse("newer_schema", 1,
           "has schema " + schema.dump() + ", this program knows " +
               std::to_string(kInferenceSchema) + ": use a twinrun that is newer");
  }
}

// Damage is told before anything else that a line says: lines of a file that was cut or changed
// need not make sense. Returns where the end line is.
FileEnd check_whole(const fs::path& file) {
  LineReader reader(file);
  Sha256 hasher;
  std::int64_t lines = 0;
  std::optional<FileEnd> end;
  while (const auto line = reader.next()) {
    ++lines;
    if (reader.torn()) refuse("incomplete", lines, "is cut short: the last line has no line feed");
    if (end) refuse("extra_line", lines, "has a line behind the end line");
    try {
      end = parse_end_line(*line, hasher.so_far());
    } catch (const BadField& problem) {
      refuse("malformed", lines, problem.what());
    } catch (InferenceProblem& problem) {
      problem.line = lines;
      throw;
    }
    if (end) end->lines = lines;
    hasher.update(*line).update("\n");
  }
  if (lines == 0) refuse("incomplete", 0, "is empty");
  if (!end) refuse("incomplete", lines, "is cut short: there is no end line");
  end->sha256 = hasher.so_far();
  return *end;
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

void check_count(const InferenceHeader& header, std::int64_t found, std::int64_t end_line,
                 std::int64_t announced_at_end) {
  if (found < header.prompts) {
    refuse("missing_prompt", end_line,
           "ends after " + std::to_string(found) + " of " + std::to_string(header.prompts) +
               " prompts");
  }
  if (found > header.prompts) {
    refuse("extra_line", header.prompts + 2,
           "has more prompts than the " + std::to_string(header.prompts) + " of the header");
  }
  if (announced_at_end != found) {
    refuse("malformed", end_line,
           "the end line counts " + std::to_string(announced_at_end) + " prompts, " +
               std::to_string(found) + " are there");
  }
}

InferenceFile read_good(const fs::path& file) {
  std::error_code error;
  const auto status = fs::status(file, error);
  if (status.type() == fs::file_type::not_found) refuse("missing", 0, "is not there");
  if (status.type() != fs::file_type::regular) refuse("unreadable", 0, "is no regular file");
  {
    LineReader first(file);
    const auto line = first.next();
    if (!line) refuse("incomplete", 0, "is empty");
    if (first.torn()) refuse("incomplete", 1, "is cut short: the first line has no line feed");
    check_format(*line);
  }
  const FileEnd end = check_whole(file);
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
  check_count(result.header, static_cast<std::int64_t>(result.outputs.size()), end.lines,
              end.prompts);
  check_top_entries(result);
  result.sha256 = end.sha256;
  return result;
}

}  // namespace

std::string InferenceProblem::at(const fs::path& file) const {
  return file.string() + (line > 0 ? ":" + std::to_string(line) : "") + ": " + what;
}

bool InferenceProblem::damaged() const {
  return reason == "incomplete" || reason == "digest_mismatch";
}

std::variant<InferenceFile, InferenceProblem> read_inference(const fs::path& file) {
  try {
    return read_good(file);
  } catch (const InferenceProblem& problem) {
    return problem;
  } catch (const std::runtime_error& error) {
    return InferenceProblem{"unreadable", 0, error.what()};
  }
}

}  // namespace twinrun::protocol
