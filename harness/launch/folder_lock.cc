#include "harness/launch/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace twinrun::harness {
namespace {

[[noreturn]] void fail(const std::string& doing, const std::filesystem::path& path, int error) {
  throw std::runtime_error("cannot " + doing + " " + path.string() + ": " + std::strerror(error));
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder, IfHeld if_held) {
  fd_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd_ < 0) fail("open", folder, errno);
  const int how = LOCK_EX | (if_held == IfHeld::kGiveUp ? LOCK_NB : 0);
  while (!(held_ = ::flock(fd_, how) == 0) && errno == EINTR) {
  }
  if (held_ || (if_held == IfHeld::kGiveUp && errno == EWOULDBLOCK)) return;
  const int error = errno;
  ::close(fd_);
  fail("lock", folder, error);
}

FolderLock::~FolderLock() { ::close(fd_); }

}  // namespace twinrun::harness
