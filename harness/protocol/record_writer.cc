#include "harness/protocol/record_writer.h"

#include <sys/random.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include "harness/protocol/canonical_json.h"

namespace twinrun::protocol {
namespace {

namespace fs = std::filesystem;
using Open = AppendFile::Open;

[[noreturn]] void diverge(const std::string& what, const AppendFile& file) {
  throw ResumeDiverged(
      "resume_diverged: " + what +
      ", computed again, is not what the run wrote before: " + file.path().filename().string() +
      ", byte " + std::to_string(file.position()) + "; nothing was overwritten");
}

/// A hasher that has taken the first `position.bytes` bytes of `file`.
Sha256 hash_prefix(const fs::path& file, const TensorsPosition& position) {
  Sha256 hasher;
  std::ifstream stream(file, std::ios::binary);
  std::vector<char> window(std::size_t{1} << 20);
  for (std::uint64_t left = position.bytes; left > 0;) {
    stream.read(window.data(),
                static_cast<std::streamsize>(std::min<std::uint64_t>(left, window.size())));
    const auto got = static_cast<std::size_t>(stream.gcount());
    if (got == 0) {
      throw ResumeRefused(file.string() + ": has fewer than the " + std::to_string(position.bytes) +
                          " bytes that it had at the checkpoint");
    }
    hasher.update(std::string_view(window.data(), got));
    left -= got;
  }
  if (position.bytes > 0 && hasher.so_far() != position.sha256) {
    throw ResumeRefused(file.string() + ": its first " + std::to_string(position.bytes) +
                        " bytes are not those that it had at the checkpoint");
  }
  return hasher;
}

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

TensorsWriter::TensorsWriter(const fs::path& run_dir)
    : file_(run_dir / "tensors.jsonl", Open::kNew) {}

TensorsWriter::TensorsWriter(const fs::path& run_dir, const TensorsPosition& position)
    : hasher_(hash_prefix(run_dir / "tensors.jsonl", position)),
      file_(run_dir / "tensors.jsonl", Open::kContinue, position.bytes) {}

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
  if (!file_.append(line)) diverge("step " + std::to_string(step) + ", " + group.group, file_);
  hasher_.update(line);
}

void TensorsWriter::end() {
  if (!file_.at_end()) diverge("the end", file_);
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
