#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace twinrun::harness {

struct LaunchOptions {
  std::vector<std::string> command;  ///< program (absolute path) and arguments, no shell
  std::filesystem::path run_dir;     ///< exists; gets stdout.log and stderr.log
  /// What the names of these two begin with: a folder may be used for more than one command.
  std::string log_prefix;
  double step_timeout_s = 600;  ///< longest time without a new line in steps.jsonl or eval.jsonl
  /// A file beside it whose new lines count as well; empty: none. A resumed run computes steps
  /// again that stand in steps.jsonl already, and tells of each in timings.jsonl.
  std::filesystem::path also_watched;
  double kill_grace_s = 5;  ///< between TERM and KILL
  /// Added to the judge's environment; an empty value unsets.
  std::vector<std::pair<std::string, std::string>> environment;
  mode_t umask = 022;
  /// Called from the watching thread whenever more step lines are there (last step, seconds so
  /// far), and about once a second besides.
  std::function<void(std::int64_t last_step, double seconds)> on_progress;
};

struct LaunchResult {
  enum class Outcome {
    kExited,       ///< by itself; exit_code
    kSignaled,     ///< by a signal that was not ours; signal
    kTimedOut,     ///< no step for step_timeout_s; ended by the judge
    kInterrupted,  ///< the judge got SIGINT or SIGTERM; ended by the judge; signal names which
    kNotStarted,   ///< no such program, not executable; stderr_tail says why
  };
  Outcome outcome = Outcome::kNotStarted;
  int exit_code = -1;
  int signal = 0;
  double seconds = 0;
  std::int64_t max_rss_bytes = 0;  ///< of the trainer, as the kernel reports it
  std::string stderr_tail;         ///< last 20 lines (at most 4 kB), safe to print: `| LINE`
};

/// Starts the trainer in a process group of its own, with a parent-death signal, stdin from
/// /dev/null, stdout and stderr to files only; waits for it, watching `run_dir`/steps.jsonl.
/// Whatever is left of the group when it returns has been killed: no orphan.
///
/// If the judge itself is killed by SIGKILL, the kernel kills the trainer; what the trainer had
/// started is not reached by that, and a trainer with workers has to arrange their end likewise.
/// The parent-death signal is bound to the calling thread, which therefore must outlive the call.
///
/// Throws std::runtime_error only if the log files cannot be made.
LaunchResult launch_trainer(const LaunchOptions& options);

/// Makes SIGINT and SIGTERM end a running launch_trainer (TERM, grace, KILL) and make it return
/// kInterrupted. Call once, first thing in main.
void install_interrupt_handlers();

/// SIGINT or SIGTERM once one has arrived, else 0.
int interrupt_signal();

}  // namespace twinrun::harness
