#include "harness/protocol/sealed_file.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "harness/protocol/line_fields.h"
#include "harness/protocol/record_reader.h"
#include "harness/protocol/strict_json.h"

namespace twinrun::protocol {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

[[noreturn]] void refuse(const std::string& reason, std::int64_t line, const std::string& what) {
  throw FileProblem{reason, line, what};
}

// The count that an end line states; nullopt for a line that is none.
std::optional<std::int64_t> parse_end_line(std::string_view line, const SealedFormat& format,
                                           const Digest& before, std::int64_t number) {
  std::string problem;
  const auto object = parse_strict_json(line, problem);
  if (!object || !object->is_object() || !object->contains("end")) return std::nullopt;
  require_fields(*object, {"end", format.counted, "sha256"}, "");
  if (object->at("end") != json(true)) fail_field("end", "true", object->at("end"));
  const std::int64_t count = integer_value(object->at(format.counted), format.counted, 0);
  if (digest_value(object->at("sha256"), "sha256") != before) {
    refuse("digest_mismatch", number,
           "what stands before the end line is not what it was written behind: its SHA-256 is " +
               to_hex(before));
  }
  return count;
}

// What has to be known before damage can be told: that the file is one of this kind, and that its
// end is written as this program knows it.
void check_format(std::string_view line, const SealedFormat& format) {
  std::string problem;
  const auto object = parse_strict_json(line, problem);
  if (!object && line.find(format.format) != line.npos) return;  // damaged
  if (!object || !object->is_object() || object->value("format", json()) != format.format) {
    refuse("malformed", 1,
           "is no file of " + std::string(format.what) + ": the first line has no \"format\":\"" +
               format.format + "\"");
  }
  const json schema = object->value("schema", json());
  if (schema.is_number_integer() && schema > json(format.schema)) {
    refuse("newer_schema", 1,
           "has schema " + schema.dump() + ", this program knows " + std::to_string(format.schema) +
               ": use a twinrun that is newer");
  }
}

void check_start(const fs::path& file, const SealedFormat& format) {
  std::error_code error;
  const auto status = fs::status(file, error);
  if (status.type() == fs::file_type::not_found) refuse("missing", 0, "is not there");
  if (status.type() != fs::file_type::regular) refuse("unreadable", 0, "is no regular file");
  LineReader first(file);
  const auto line = first.next();
  if (!line) refuse("incomplete", 0, "is empty");
  if (first.torn()) refuse("incomplete", 1, "is cut short: the first line has no line feed");
  check_format(*line, format);
}

SealedFile check_whole(const fs::path& file, const SealedFormat& format) {
  LineReader reader(file);
  Sha256 hasher;
  SealedFile found;
  std::optional<std::int64_t> end;
  while (const auto line = reader.next()) {
    ++found.lines;
    if (reader.torn()) {
      refuse("incomplete", found.lines, "is cut short: the last line has no line feed");
    }
    if (end) refuse("extra_line", found.lines, "has a line behind the end line");
    try {
      end = parse_end_line(*line, format, hasher.so_far(), found.lines);
    } catch (const BadField& problem) {
      refuse("malformed", found.lines, problem.what());
    }
    hasher.update(*line).update("\n");
  }
  if (!end) refuse("incomplete", found.lines, "is cut short: there is no end line");
  found.count = *end;
  found.sha256 = hasher.so_far();
  return found;
}

}  // namespace

std::string FileProblem::at(const fs::path& file) const {
  return file.string() + (line > 0 ? ":" + std::to_string(line) : "") + ": " + what;
}

bool FileProblem::damaged() const { return reason == "incomplete" || reason == "digest_mismatch"; }

std::string sealing_line(const SealedFormat& format, std::int64_t count, const Digest& before) {
  return "{\"end\":true,\"" + std::string(format.counted) + "\":" + std::to_string(count) +
         ",\"sha256\":\"" + to_hex(before) + "\"}\n";
}

SealedFile check_sealed_file(const fs::path& file, const SealedFormat& format) {
  check_start(file, format);
  return check_whole(file, format);
}

}  // namespace twinrun::protocol
