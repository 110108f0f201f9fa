#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace twinrun {

struct ProcessOptions {
  std::vector<std::string> command;  ///< program with its path, and arguments
  std::filesystem::path cwd;
  /// Added to ours without CI: a test that is about a pipeline sets it, whoever runs the tests.
  std::vector<std::pair<std::string, std::string>> environment;
  std::function<void()> before_exec;  ///< in the child; only what is safe after fork
};

struct ProcessResult {
  int exit_code = -1;  ///< -1 if it was killed
  int signal = 0;      ///< that killed it
  std::string out, err;
};

/// A child process whose stdout and stderr go to files that are gone with the object.
class Process {
 public:
  /// Throws std::runtime_error if it cannot be started.
  explicit Process(const ProcessOptions& options);
  ~Process();  ///< kills it if it still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void send(int signal) const;
  ProcessResult wait();

 private:
  pid_t pid_ = -1;
  int out_ = -1, err_ = -1;
};

ProcessResult run_process(const ProcessOptions& options);

/// Asks `condition` every 10 ms for at most `seconds`; whether it came true.
bool eventually(double seconds, const std::function<bool()>& condition);

}  // namespace twinrun
