#include "harness/launch/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace twinrun::harness {
namespace {

/// A file descriptor that is closed at the end of its scope.
class OwnedFd {
 public:
  explicit OwnedFd(int fd = -1) : fd_(fd) {}
  ~OwnedFd() { reset(); }
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

/// Opens above the standard descriptors, which dup2 in the child is about to overwrite.
int open_high(const char* path, int flags) {
  const int fd = open(path, flags | O_CLOEXEC, 0666);
  if (fd < 0) fail(path);
  const int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  const int error = errno;
  close(fd);
  errno = error;
  if (high < 0) fail(path);
  return high;
}

int duplicate_high(int fd) {
  const int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (high < 0) fail("a file descriptor");
  return high;
}

std::vector<std::string> merged_environment(
    const std::vector<std::pair<std::string, std::string>>& changes) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('='));
    const bool changed = std::any_of(changes.begin(), changes.end(),
                                     [&](const auto& change) { return change.first == name; });
    if (!changed) merged.push_back(text);
  }
  for (const auto& [name, value] : changes) {
    if (!value.empty()) merged.push_back(name + "=" + value);
  }
  return merged;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& text : strings) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

/// All that the child needs, made before the fork: after it, in a process that may have threads,
/// only async-signal-safe calls are allowed, and those allocate nothing.
struct Prepared {
  char* const* argv;
  char* const* envp;
  int stdin_fd, stdout_fd, stderr_fd, error_fd;
  mode_t umask;
  pid_t parent;
};

void hide_other_descriptors() {
  // Marked rather than closed: the pipe that reports a failed exec is among them.
  constexpr unsigned kCloseRangeCloexec = 4;  // linux/close_range.h, which old headers lack
  if (syscall(SYS_close_range, 3u, ~0u, kCloseRangeCloexec) == 0) return;
  constexpr int kDescriptorsMax = 65536;
  for (int fd = 3; fd < kDescriptorsMax; ++fd) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

[[noreturn]] void run_child(const Prepared& prepared) {
  setpgid(0, 0);
  // The parent may have died before the signal was asked for; then nobody would send it any more.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != prepared.parent) _exit(127);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  umask(prepared.umask);
  const bool redirected = dup2(prepared.stdin_fd, STDIN_FILENO) >= 0 &&
                          dup2(prepared.stdout_fd, STDOUT_FILENO) >= 0 &&
                          dup2(prepared.stderr_fd, STDERR_FILENO) >= 0;
  if (redirected) {
    hide_other_descriptors();
    execve(prepared.argv[0], prepared.argv, prepared.envp);
  }
  const int error = errno;
  const ssize_t written = write(prepared.error_fd, &error, sizeof error);
  _exit(written == sizeof error ? 127 : 126);
}

/// fork() with every signal blocked, so that no handler of the parent runs in the child.
pid_t fork_child(const Prepared& prepared) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = fork();
  if (pid == 0) run_child(prepared);
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return pid;
}

/// Whether the child has ended; it stays a zombie, so its process group cannot be another's yet.
bool has_ended(pid_t pid) {
  siginfo_t info{};
  const int result = waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
  return result == 0 && info.si_pid == pid;
}

/// Reaps the rest of a killed group; as their subreaper we are the parent of all that lost theirs.
void reap_group(pid_t group) {
  constexpr int kSleepsMax = 500;  // 5 s: a process stuck in the kernel must not hold us forever
  for (int sleeps = 0; sleeps < kSleepsMax;) {
    const pid_t reaped = waitpid(-group, nullptr, WNOHANG);
    if (reaped < 0 && errno == ECHILD) return;
    if (reaped > 0) continue;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ++sleeps;
  }
}

}  // namespace

ChildProcess::ChildProcess(const ChildOptions& options) {
  if (options.command.empty()) {
    start_error_ = "no program was given";
    return;
  }
  start(options);
}

void ChildProcess::start(const ChildOptions& options) {
  const OwnedFd in(options.stdin_fd < 0 ? open_high("/dev/null", O_RDONLY)
                                        : duplicate_high(options.stdin_fd));
  const OwnedFd out(options.stdout_fd < 0 ? open_high(options.stdout_file.c_str(),
                                                      O_WRONLY | O_CREAT | O_TRUNC | O_APPEND)
                                          : duplicate_high(options.stdout_fd));
  const OwnedFd err(
      open_high(options.stderr_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND));
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail("pipe");
  const OwnedFd error_in(ends[0]);
  // The standard descriptors may be closed in a daemon; the pipe must not land on them.
  OwnedFd error_out(fcntl(ends[1], F_DUPFD_CLOEXEC, 3));
  close(ends[1]);
  if (error_out.get() < 0) fail("pipe");

  std::vector<std::string> command = options.command;
  std::vector<std::string> environment = merged_environment(options.environment);
  const std::vector<char*> argv = pointers(command);
  const std::vector<char*> envp = pointers(environment);
  const Prepared prepared{argv.data(), envp.data(),     in.get(),      out.get(),
                          err.get(),   error_out.get(), options.umask, getpid()};
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  signal(SIGCHLD, SIG_DFL);  // where we inherited "ignore", the kernel would drop the exit status
  pid_ = fork_child(prepared);
  if (pid_ < 0) fail("fork");
  setpgid(pid_, pid_);  // the child does it too; whoever is first, the group exists from here on
  error_out.reset();

  int error = 0;
  ssize_t got;
  do {
    got = read(error_in.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  if (got == sizeof error) {
    start_error_ = options.command[0] + ": cannot be started: " + std::strerror(error);
    finish();
    return;
  }
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0u));
}

ChildProcess::~ChildProcess() { finish(); }

bool ChildProcess::wait_for(double seconds) {
  if (pid_ < 0 || has_ended(pid_)) return true;
  // poll passes over a negative descriptor and only sleeps; then in short naps.
  constexpr double kNap_s = 0.05;
  if (pidfd_ < 0) seconds = std::min(seconds, kNap_s);
  pollfd ended{pidfd_, POLLIN, 0};
  poll(&ended, 1, static_cast<int>(std::ceil(std::clamp(seconds, 0.0, 1e6) * 1e3)));
  return has_ended(pid_);
}

void ChildProcess::signal_group(int signal) {
  if (pid_ > 0) kill(-pid_, signal);
}

ChildExit ChildProcess::finish() {
  ChildExit result;
  if (pid_ < 0) return result;
  kill(-pid_, SIGKILL);
  int status = 0;
  rusage usage{};
  pid_t reaped;
  do {
    reaped = wait4(pid_, &status, 0, &usage);
  } while (reaped < 0 && errno == EINTR);
  reap_group(pid_);
  if (pidfd_ >= 0) close(pidfd_);
  pid_ = pidfd_ = -1;
  if (reaped > 0) {
    result.signaled = WIFSIGNALED(status);
    if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
    if (WIFEXITED(status)) result.code = WEXITSTATUS(status);
    result.max_rss_bytes = std::int64_t{1024} * usage.ru_maxrss;  // Linux counts in KiB
  }
  return result;
}

}  // namespace twinrun::harness
