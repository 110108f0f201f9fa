#include "harness/protocol/record_resume.h"

#include <string>
#include <utility>
#include <variant>

#include "harness/protocol/record_reader.h"

namespace twinrun::protocol {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& what) {
  throw ResumeRefused(file.string() + ": " + what);
}

std::string line_name(std::int64_t line) { return "line " + std::to_string(line) + ": "; }

StepRecord step_before(const std::filesystem::path& file, std::int64_t line,
                       std::string_view text) {
  auto parsed = parse_step(text);
  if (const auto* problem = std::get_if<LineProblem>(&parsed)) {
    refuse(file, line_name(line) + "the checkpoint stands behind it, but it is no step (" +
                     problem->what + ")");
  }
  return std::get<StepRecord>(std::move(parsed));
}

}  // namespace

std::optional<StepRecord> check_continuation(const std::filesystem::path& steps_file,
                                             const RecordHeader& header,
                                             const std::optional<RecordPosition>& position) {
  std::optional<StepRecord> before;
  std::int64_t line = 0;
  if (std::filesystem::exists(steps_file)) {
    LineReader reader(steps_file);
    Digest chain{};
    while (const auto text = reader.next()) {
      if (reader.torn()) break;
      if (++line == 1) {
        const std::string wanted = format_header(header);
        if (*text != wanted) {
          refuse(steps_file, "the record begins with " + std::string(text->substr(0, 400)) +
                                 ", this run would begin with " + wanted);
        }
        chain = sha256(*text);
      } else {
        const auto split = split_chain(*text);
        if (!split || chain_next(chain, split->hashed) != split->chain) {
          refuse(steps_file, line_name(line) +
                                 "its chain value does not follow from the lines before: the file "
                                 "was changed, and what was changed is not continued");
        }
        chain = split->chain;
      }
      if (!position || reader.offset() != position->bytes) continue;
      if (chain != position->chain) {
        refuse(steps_file,
               line_name(line) + "the checkpoint that stands behind it names another chain value");
      }
      before = step_before(steps_file, line, *text);
    }
  }
  if (position && !before) {
    refuse(steps_file, "no line ends at byte " + std::to_string(position->bytes) +
                           ", where the checkpoint was written: the file was cut or replaced");
  }
  return before;
}

}  // namespace twinrun::protocol
