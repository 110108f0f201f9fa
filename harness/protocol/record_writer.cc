#include "harness/protocol/record_writer.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "harness/protocol/canonical_json.h"

namespace twinrun::protocol {
namespace {

namespace fs = std::filesystem;
using Open = AppendFile::Open;

}  // namespace

RecordWriter::RecordWriter(const fs::path& run_dir, const RecordHeader& header)
    : file_(run_dir / "steps.jsonl", Open::kNew) {
  write_header(header);
}

RecordWriter::RecordWriter(const fs::path& run_dir, const RecordHeader& header,
                           const std::optional<RecordPosition>& position)
    : before_(check_continuation(run_dir / "steps.jsonl", header, position)),
      file_(run_dir / "steps.jsonl", Open::kContinue, position ? position->bytes : 0) {
  if (position) {
    chain_ = position->chain;
  } else {
    write_header(header);
  }
}

void RecordWriter::write_header(const RecordHeader& header) {
  const std::string line = format_header(header);
  if (!file_.append(line + '\n')) diverge("the header", file_);
  chain_ = sha256(line);
}

void RecordWriter::append(const std::string& line_without_chain, const std::string& what) {
  const Digest next = chain_next(chain_, line_without_chain);
  if (!file_.append(with_chain(line_without_chain, next) + '\n')) diverge(what, file_);
  chain_ = next;
}

void RecordWriter::step_zero(const StepZero& state) { append(format_step_zero(state), "step 0"); }

void RecordWriter::step(const StepRecord& step) {
  append(format_step(step), "step " + std::to_string(step.step));
}

Digest RecordWriter::end(const RecordEnd& end) {
  const std::string what = "the end after step " + std::to_string(end.steps);
  append(format_end(end), what);
  if (!file_.at_end()) diverge(what, file_);
  file_.sync();
  return chain_;
}

TensorsWriter::TensorsWriter(const fs::path& run_dir) : file_(run_dir / "tensors.jsonl") {}

TensorsWriter::TensorsWriter(const fs::path& run_dir, const FilePosition& position)
    : file_(run_dir / "tensors.jsonl", position) {}

void TensorsWriter::write(std::int64_t step, const TensorGroup& group) {
  std::string line = "{\"step\":" + std::to_string(step) + ",\"group\":";
  append_json_string(line, group.group);
  line += ",\"tensors\":[";
  for (std::size_t i = 0; i < group.tensors.size(); ++i) {
    line += i > 0 ? ",[" : "[";
    append_json_string(line, group.tensors[i].first);
    line += ",\"" + to_hex(group.tensors[i].second) + "\"]";
  }
  line += "]}\n";
  file_.append(line, "step " + std::to_string(step) + ", " + group.group);
}

std::string random_run_id() {
  std::array<std::uint8_t, 16> bytes;
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("the kernel gave no random bytes for a run id");
  }
  Digest padded{};
  std::copy(bytes.begin(), bytes.end(), padded.begin());
  return to_hex(padded).substr(0, 2 * bytes.size());
}

}  // namespace twinrun::protocol
