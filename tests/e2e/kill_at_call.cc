// Preloaded into a program under test: counts the calls that change something below the folder
// KILL_FOLDER and kills the process (SIGKILL) at call number KILL_AT: before it is carried out, or
// of a write halfway through. What such a process leaves on the disk hangs on these calls alone, so
// they are all the moments at which it can be killed; a random time would hardly hit a torn line.
// A process that ends by itself leaves its number of calls in the file KILL_COUNT.

#include <signal.h>
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

bool below_folder(const char* path) {
  static const std::string folder = setting("KILL_FOLDER");
  return !folder.empty() && std::strncmp(path, folder.c_str(), folder.size()) == 0;
}

bool fd_below_folder(int fd) { return below_folder(PathOf(fd).text); }

/// Counts a call; whether it is the one.
bool is_the_one(bool below) {
  static const long at = std::atol(setting("KILL_AT"));
  return below && ++calls == at;
}

[[noreturn]] void die() {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

void die_if(bool one) {
  if (one) die();
}

[[gnu::destructor]] void leave_count() { preload::tell_count(setting("KILL_COUNT")); }

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  if (is_the_one(fd_below_folder(fd))) {
    syscall(SYS_write, fd, data, size / 2);
    die();
  }
  return syscall(SYS_write, fd, data, size);
}

ssize_t writev(int fd, const iovec* parts, int count) {
  die_if(is_the_one(fd_below_folder(fd)));
  return next("writev", writev)(fd, parts, count);
}

int open(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  die_if((flags & (O_CREAT | O_TRUNC)) != 0 && is_the_one(below_folder(path)));
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
  die_if(is_the_one(fd_below_folder(fd)));
  return next("fsync", fsync)(fd);
}

int ftruncate(int fd, off_t size) noexcept {
  die_if(is_the_one(fd_below_folder(fd)));
  return next("ftruncate", ftruncate)(fd, size);
}

int rename(const char* from, const char* to) noexcept {
  die_if(is_the_one(below_folder(to)));
  return next("rename", rename)(from, to);
}

int mkdir(const char* path, mode_t mode) noexcept {
  die_if(is_the_one(below_folder(path)));
  return next("mkdir", mkdir)(path, mode);
}

int unlink(const char* path) noexcept {
  die_if(is_the_one(below_folder(path)));
  return next("unlink", unlink)(path);
}

int unlinkat(int folder, const char* path, int flags) noexcept {
  const bool below = path[0] == '/' ? below_folder(path) : fd_below_folder(folder);
  die_if(is_the_one(below));
  return next("unlinkat", unlinkat)(folder, path, flags);
}

}  // extern "C"
