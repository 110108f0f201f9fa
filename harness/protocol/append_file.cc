#include "harness/protocol/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace twinrun::protocol {
namespace {

[[noreturn]] void fail(const std::string& doing, const std::filesystem::path& path) {
  throw std::runtime_error("cannot " + doing + " " + path.string() + ": " + std::strerror(errno));
}

void write_whole(int fd, std::string_view text, const std::filesystem::path& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write", path);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void read_whole(int fd, std::string& into, std::uint64_t begin, const std::filesystem::path& path) {
  for (std::size_t done = 0; done < into.size();) {
    const ssize_t got =
        ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(begin + done));
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) errno = EIO;  // shorter than it was just now
    if (got <= 0) fail("read", path);
    done += static_cast<std::size_t>(got);
  }
}

}  // namespace

AppendFile::AppendFile(std::filesystem::path path, Open open, std::uint64_t position)
    : path_(std::move(path)), position_(position) {
  const int only_new = open == Open::kNew ? O_EXCL : 0;
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | only_new | O_APPEND | O_CLOEXEC, 0666);
  if (fd_ < 0) fail(open == Open::kNew ? "create" : "open", path_);
  try {
    struct stat status {};
    if (::fstat(fd_, &status) != 0) fail("read", path_);
    size_ = static_cast<std::uint64_t>(status.st_size);
    cut_torn_line();
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

AppendFile::~AppendFile() { ::close(fd_); }

void AppendFile::cut_torn_line() {
  constexpr std::uint64_t kWindowBytes = 1 << 16;
  std::uint64_t whole = 0;
  for (std::uint64_t end = size_; whole == 0 && end > 0;) {
    const std::uint64_t begin = end > kWindowBytes ? end - kWindowBytes : 0;
    std::string window(end - begin, '\0');
    read_whole(fd_, window, begin, path_);
    const std::size_t found = window.rfind('\n');
    if (found != std::string::npos) whole = begin + found + 1;
    end = begin;
  }
  if (whole == size_) return;
  if (::ftruncate(fd_, static_cast<off_t>(whole)) != 0) fail("cut the torn last line of", path_);
  size_ = whole;
}

bool AppendFile::holds(std::string_view line) const {
  if (size_ - position_ < line.size()) return false;
  std::string there(line.size(), '\0');
  read_whole(fd_, there, position_, path_);
  return there == line;
}

bool AppendFile::append(std::string_view line) {
  if (at_end()) {
    write_whole(fd_, line, path_);
    size_ += line.size();
  } else if (!holds(line)) {
    return false;
  }
  position_ += line.size();
  return true;
}

void AppendFile::sync() {
  if (::fsync(fd_) != 0) fail("sync", path_);
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
  sync_folder(folder_of(path));
}

std::string read_file(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  if (file) return text;
  if (errno == 0) errno = EIO;
  fail("read", path);
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

void sync_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail("open", folder);
  const int synced = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  errno = error;
  if (synced != 0) fail("sync", folder);
}

}  // namespace twinrun::protocol
