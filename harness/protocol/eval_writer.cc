#include "harness/protocol/eval_writer.h"

#include "harness/protocol/record_reader.h"

namespace twinrun::protocol {
namespace {

namespace fs = std::filesystem;

constexpr const char* kName = "eval.jsonl";

/// Throws ResumeRefused where a file that is there begins otherwise. What has no whole line is
/// begun anew.
fs::path checked(const fs::path& file, const EvalHeader& header) {
  if (!fs::exists(file)) return file;
  LineReader reader(file);
  const auto line = reader.next();
  const std::string wanted = format_eval_header(header);
  if (line && !reader.torn() && *line != wanted) {
    throw ResumeRefused(file.string() + ": the evaluations begin with " +
                        std::string(line->substr(0, 400)) +
                        ", those of this run would begin with " + wanted);
  }
  return file;
}

}  // namespace

EvalWriter::EvalWriter(const fs::path& run_dir, const EvalHeader& header)
    : header_(header), file_(run_dir / kName) {
  file_.append(format_eval_header(header) + '\n', "the header");
}

EvalWriter::EvalWriter(const fs::path& run_dir, const EvalHeader& header,
                       const FilePosition& position)
    : header_(header), file_(checked(run_dir / kName, header), position) {
  if (position.bytes == 0) file_.append(format_eval_header(header) + '\n', "the header");
}

void EvalWriter::item(const EvalItem& item) {
  file_.append(format_eval_item(item) + '\n', "item " + std::to_string(item.item) +
                                                  " of the evaluation after step " +
                                                  std::to_string(item.step));
}

void EvalWriter::end() {
  const std::string what = "the end of the evaluations";
  file_.append(
      sealing_line(kEvalSeal, header_.items * header_.evaluations(), file_.position().sha256),
      what);
  file_.require_end(what);
  file_.sync();
}

}  // namespace twinrun::protocol
