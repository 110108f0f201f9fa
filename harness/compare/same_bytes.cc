#include "harness/compare/same_bytes.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace twinrun::harness {
namespace {

constexpr std::size_t kWindowBytes = std::size_t{1} << 18;

class File {
 public:
  explicit File(const std::filesystem::path& path)
      : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), window_(kWindowBytes) {
    if (fd_ < 0) fail();
  }
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // The bytes from `offset` on, fewer than `most` only at the end of the file.
  std::size_t read(std::uint64_t offset, std::size_t most = kWindowBytes) {
    std::size_t filled = 0;
    while (filled < most) {
      const ssize_t got =
          ::pread(fd_, window_.data() + filled, most - filled, static_cast<off_t>(offset + filled));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail();
      if (got == 0) break;
      filled += static_cast<std::size_t>(got);
    }
    return filled;
  }

  const char* data() const { return window_.data(); }

 private:
  [[noreturn]] void fail() const {
    throw std::runtime_error("cannot read " + path_.string() + ": " + std::strerror(errno));
  }
  std::filesystem::path path_;
  int fd_;
  std::vector<char> window_;
};

}  // namespace

std::uint64_t common_prefix(const std::filesystem::path& a, const std::filesystem::path& b) {
  File file_a(a), file_b(b);
  for (std::uint64_t offset = 0;; offset += kWindowBytes) {
    const std::size_t both = std::min(file_a.read(offset), file_b.read(offset));
    if (std::memcmp(file_a.data(), file_b.data(), both) != 0) {
      const auto [at, other] =
          std::mismatch(file_a.data(), file_a.data() + both, file_b.data(), file_b.data() + both);
      return offset + static_cast<std::uint64_t>(at - file_a.data());
    }
    if (both < kWindowBytes) return offset + both;
  }
}

std::uint64_t line_begin(const std::filesystem::path& file, std::uint64_t offset) {
  File reader(file);
  while (offset > 0) {
    const std::uint64_t from = offset > kWindowBytes ? offset - kWindowBytes : 0;
    const std::size_t got = reader.read(from, static_cast<std::size_t>(offset - from));
    for (std::size_t i = got; i > 0; --i) {
      if (reader.data()[i - 1] == '\n') return from + i;
    }
    offset = from;
  }
  return 0;
}

}  // namespace twinrun::harness
