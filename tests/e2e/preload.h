#pragma once

// What kill_at_call.cc and fail_at_call.cc share: each is preloaded into a program under test and
// stands before the calls by which that program changes something on the disk.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace preload {

inline std::atomic<long> calls{0};

inline const char* setting(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// The path of an open file; empty if it has none. On the stack, since a write may be anybody's.
struct PathOf {
  explicit PathOf(int fd) {
    char link[64];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t size = readlink(link, text, PATH_MAX);
    text[size < 0 ? 0 : size] = '\0';
    if (text[0] != '/') text[0] = '\0';
  }
  char text[PATH_MAX + 1];
};

/// The function that this one stands before.
template <typename Function>
Function* next(const char* name, Function*) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

inline int open_file(const char* path, int flags, mode_t mode) {
  return static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

/// Writes the number of calls to `file`, past the functions that count them.
inline void tell_count(const char* file) {
  const std::string count = std::to_string(calls.load()) + "\n";
  const int fd = open_file(file, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (fd >= 0) syscall(SYS_write, fd, count.data(), count.size());
}

}  // namespace preload
