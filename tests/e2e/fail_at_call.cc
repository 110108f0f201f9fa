// Preloaded into `twinrun` (and, as it is inherited, into what it starts, where it does nothing):
// counts the calls that change something below the folder FAIL_FOLDER and makes call number FAIL_AT
// fail, with FAIL_STICKY all calls from there on, as a disk that stays full does. FAIL_HOW: ENOSPC,
// EIO, or short: a write that writes half and says so, which is no error. A process that ends by
// itself leaves its number of calls in the file FAIL_COUNT.

#include <errno.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <cstdarg>
#include <cstring>

#include "tests/e2e/preload.h"

namespace {

using preload::calls;
using preload::next;
using preload::PathOf;
using preload::setting;

bool is_judge() {
  static const bool judge = std::strcmp(program_invocation_short_name, "twinrun") == 0;
  return judge;
}

bool is_short() {
  static const bool value = std::strcmp(setting("FAIL_HOW"), "short") == 0;
  return value;
}

int error_number() { return std::strcmp(setting("FAIL_HOW"), "EIO") == 0 ? EIO : ENOSPC; }

bool below_folder(const char* path) {
  static const std::string folder = setting("FAIL_FOLDER");
  if (folder.empty() || path == nullptr) return false;
  // A relative path is of the working folder, which the tests choose below FAIL_FOLDER.
  return path[0] != '/' || std::strncmp(path, folder.c_str(), folder.size()) == 0;
}

bool fd_below_folder(int fd) {
  const PathOf path(fd);
  return path.text[0] != '\0' && below_folder(path.text);
}

/// Counts a call; whether it has to fail.
bool fails(bool below) {
  static const long at = std::atol(setting("FAIL_AT"));
  static const bool sticky = *setting("FAIL_STICKY") != '\0';
  if (!below || !is_judge()) return false;
  const long call = ++calls;
  return at > 0 && (call == at || (sticky && call > at));
}

/// The same for a call that cannot be short.
bool fails_whole(bool below) {
  if (!fails(below) || is_short()) return false;
  errno = error_number();
  return true;
}

[[gnu::destructor]] void leave_count() {
  if (is_judge()) preload::tell_count(setting("FAIL_COUNT"));
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  if (fails(fd_below_folder(fd))) {
    if (is_short() && size > 1) return syscall(SYS_write, fd, data, size / 2);
    if (!is_short()) {
      // A full disk takes what still fits.
      syscall(SYS_write, fd, data, size / 2);
      errno = error_number();
      return -1;
    }
  }
  return syscall(SYS_write, fd, data, size);
}

ssize_t writev(int fd, const iovec* parts, int count) {
  if (fails(fd_below_folder(fd))) {
    if (is_short() && count > 0) return syscall(SYS_writev, fd, parts, 1);
    if (!is_short()) {
      errno = error_number();
      return -1;
    }
  }
  return syscall(SYS_writev, fd, parts, count);
}

int open(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if ((flags & (O_CREAT | O_TRUNC)) != 0 && fails_whole(below_folder(path))) return -1;
  return preload::open_file(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return open(path, flags, mode);
}

int fsync(int fd) {
  if (fails_whole(fd_below_folder(fd))) return -1;
  return next("fsync", fsync)(fd);
}

int ftruncate(int fd, off_t size) noexcept {
  if (fails_whole(fd_below_folder(fd))) return -1;
  return next("ftruncate", ftruncate)(fd, size);
}

int rename(const char* from, const char* to) noexcept {
  if (fails_whole(below_folder(to))) return -1;
  return next("rename", rename)(from, to);
}

int mkdir(const char* path, mode_t mode) noexcept {
  if (fails_whole(below_folder(path))) return -1;
  return next("mkdir", mkdir)(path, mode);
}

int unlink(const char* path) noexcept {
  if (fails_whole(below_folder(path))) return -1;
  return next("unlink", unlink)(path);
}

}  // extern "C"
