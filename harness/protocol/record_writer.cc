#include "harness/protocol/record_writer.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "harness/protocol/canonical_json.h"

namespace twinrun::protocol {
namespace {

[[noreturn]] void fail(const std::string& doing, const std::filesystem::path& path) {
  throw std::runtime_error("cannot " + doing + " " + path.string() + ": " + std::strerror(errno));
}

int create_for_append(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0) fail("create", path);
  return fd;
}

void write_whole(int fd, std::string_view text, const std::filesystem::path& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write", path);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

RecordWriter::RecordWriter(const std::filesystem::path& run_dir, const RecordHeader& header)
    : path_(run_dir / "steps.jsonl") {
  const std::string line = format_header(header);
  fd_ = create_for_append(path_);
  try {
    write_whole(fd_, line + '\n', path_);
  } catch (...) {
    ::close(fd_);
    throw;
  }
  chain_ = sha256(line);
}

RecordWriter::~RecordWriter() { ::close(fd_); }

void RecordWriter::append(const std::string& line_without_chain) {
  const Digest next = chain_next(chain_, line_without_chain);
  write_whole(fd_, with_chain(line_without_chain, next) + '\n', path_);
  chain_ = next;
}

void RecordWriter::step_zero(const StepZero& state) { append(format_step_zero(state)); }

void RecordWriter::step(const StepRecord& step) { append(format_step(step)); }

Digest RecordWriter::end(const RecordEnd& end) {
  append(format_end(end));
  if (::fsync(fd_) != 0) fail("sync", path_);
  return chain_;
}

TensorsWriter::TensorsWriter(const std::filesystem::path& run_dir)
    : path_(run_dir / "tensors.jsonl"), fd_(create_for_append(path_)) {}

TensorsWriter::~TensorsWriter() { ::close(fd_); }

void TensorsWriter::write(std::int64_t step, const TensorGroup& group) {
  std::string line = "{\"step\":" + std::to_string(step) + ",\"group\":";
  append_json_string(line, group.group);
  line += ",\"tensors\":[";
  for (std::size_t i = 0; i < group.tensors.size(); ++i) {
    line += i > 0 ? ",[" : "[";
    append_json_string(line, group.tensors[i].first);
    line += ",\"" + to_hex(group.tensors[i].second) + "\"]";
  }
  write_whole(fd_, line + "]}\n", path_);
}

void write_file_atomically(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::path temporary = path;
  temporary += ".tmp";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) fail("create", temporary);
  try {
    write_whole(fd, text, temporary);
    if (::fsync(fd) != 0) fail("sync", temporary);
  } catch (...) {
    ::close(fd);
    ::unlink(temporary.c_str());
    throw;
  }
  ::close(fd);
  if (::rename(temporary.c_str(), path.c_str()) != 0) fail("replace", path);
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const int folder_fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_fd < 0) fail("open", folder);
  const int synced = ::fsync(folder_fd);
  ::close(folder_fd);
  if (synced != 0) fail("sync", folder);
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
