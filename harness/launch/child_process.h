#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace twinrun::harness {

struct ChildOptions {
  std::vector<std::string> command;  ///< program (absolute path) and arguments
  std::filesystem::path stdout_file, stderr_file;
  /// The child's stdin and stdout instead of /dev/null and `stdout_file`, if not negative; they
  /// stay the caller's, who closes them.
  int stdin_fd = -1, stdout_fd = -1;
  std::vector<std::pair<std::string, std::string>> environment;  ///< an empty value unsets
  mode_t umask = 022;
};

/// How a child ended.
struct ChildExit {
  bool signaled = false;
  int code = -1;   ///< unless signaled
  int signal = 0;  ///< if signaled
  std::int64_t max_rss_bytes = 0;
};

/// A child in a process group of its own, which is killed and reaped at the latest by the
/// destructor.
///
/// The child has stdin from /dev/null and its output in files unless told otherwise, default signal
/// handling, no other file descriptor, and gets SIGKILL when the thread that started it ends, also
/// by a kill -9 of the process. That signal reaches the child only: what it started itself lives on
/// in that one case.
class ChildProcess {
 public:
  /// Throws std::runtime_error if an output file cannot be made or the system has no more
  /// processes. A program that cannot be executed is no exception: started() is false and
  /// start_error() set.
  explicit ChildProcess(const ChildOptions& options);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  bool started() const { return start_error_.empty(); }
  const std::string& start_error() const { return start_error_; }

  /// Waits until the child has ended, at most `seconds`; may come back earlier. True if it ended.
  bool wait_for(double seconds);
  /// Sends `signal` to the whole group.
  void signal_group(int signal);
  /// Kills what is left of the group and reaps it all. The child itself counts as ended by `signal`
  /// SIGKILL if it had not ended before.
  ChildExit finish();

 private:
  void start(const ChildOptions& options);

  pid_t pid_ = -1;  // -1: not started, or finished
  int pidfd_ = -1;  // -1: not supported here; then wait_for polls
  std::string start_error_;
};

}  // namespace twinrun::harness
