#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "harness/protocol/record_reader.h"

namespace twinrun::protocol {
namespace {

constexpr std::size_t kWindowBytes = std::size_t{1} << 18;
// No line of a record comes near this; a file of garbage must not fill the memory.
constexpr std::size_t kLineBytesMax = std::size_t{64} << 20;

}  // namespace

LineReader::LineReader(const std::filesystem::path& path, std::uint64_t begin)
    : path_(path), window_(kWindowBytes), window_offset_(begin) {
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) {
    throw std::runtime_error("cannot read " + path.string() + ": " + std::strerror(errno));
  }
}

LineReader::~LineReader() {
  if (fd_ >= 0) ::close(fd_);
}

// Keeps what is not read yet and adds bytes behind it; false at the end of the file.
bool LineReader::refill() {
  std::memmove(window_.data(), window_.data() + position_, filled_ - position_);
  window_offset_ += position_;
  filled_ -= position_;
  position_ = 0;
  if (filled_ == window_.size()) {
    if (filled_ >= kLineBytesMax) {
      throw std::runtime_error(path_.string() + " has a line longer than 64 MiB");
    }
    window_.resize(2 * window_.size());
  }
  for (;;) {
    const ssize_t got = ::pread(fd_, window_.data() + filled_, window_.size() - filled_,
                                static_cast<off_t>(window_offset_ + filled_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw std::runtime_error("cannot read " + path_.string() + ": " + std::strerror(errno));
    }
    filled_ += static_cast<std::size_t>(got);
    return got > 0;
  }
}

std::optional<std::string_view> LineReader::next() {
  std::size_t searched = 0;
  for (;;) {
    const char* begin = window_.data() + position_;
    const std::size_t size = filled_ - position_;
    const void* found = std::memchr(begin + searched, '\n', size - searched);
    if (found != nullptr) {
      const auto length = static_cast<std::size_t>(static_cast<const char*>(found) - begin);
      position_ += length + 1;
      return std::string_view(begin, length);
    }
    searched = size;
    if (refill()) continue;
    if (searched == 0) return std::nullopt;
    torn_ = true;
    position_ = filled_;
    return std::string_view(window_.data(), searched);
  }
}

}  // namespace twinrun::protocol
