#include "harness/launch/launch.h"

#include <signal.h>

#include <atomic>
#include <chrono>

#include "harness/launch/child_process.h"
#include "harness/launch/stderr_tail.h"
#include "harness/launch/step_watch.h"

namespace twinrun::harness {
namespace {

using Outcome = LaunchResult::Outcome;
using Clock = std::chrono::steady_clock;

constexpr double kPollEvery_s = 0.05;
constexpr double kProgressEvery_s = 1;

// Written by a signal handler: lock-free, and the first signal stays.
std::atomic<int> interrupted_by{0};
static_assert(std::atomic<int>::is_always_lock_free);

void remember_signal(int signal) {
  int none = 0;
  interrupted_by.compare_exchange_strong(none, signal);
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Watches until the child ends by itself, takes too long over a step, or we are interrupted.
Outcome watch(ChildProcess& child, const LaunchOptions& options, Clock::time_point start) {
  StepWatch steps(options.run_dir / "steps.jsonl"), evaluations(options.run_dir / "eval.jsonl"),
      also(options.also_watched);
  double last_line_s = 0, last_call_s = 0;
  while (true) {
    const bool ended = child.wait_for(kPollEvery_s);
    const bool new_step = steps.poll(), new_item = evaluations.poll();
    const bool new_line = also.poll() || new_step || new_item;
    const double now_s = seconds_since(start);
    if (new_line) last_line_s = now_s;
    if (options.on_progress && (new_line || now_s - last_call_s >= kProgressEvery_s)) {
      last_call_s = now_s;
      options.on_progress(steps.last_step(), now_s);
    }
    if (ended) return Outcome::kExited;
    if (interrupt_signal() != 0) return Outcome::kInterrupted;
    if (now_s - last_line_s > options.step_timeout_s) return Outcome::kTimedOut;
  }
}

/// TERM, and time to leave; finish() kills what is left after that.
void ask_to_end(ChildProcess& child, double grace_s) {
  child.signal_group(SIGTERM);
  child.signal_group(SIGCONT);  // one that is stopped would not see the TERM
  const Clock::time_point start = Clock::now();
  // A signal to us ends wait_for early; the grace is the trainer's all the same.
  for (double left_s = grace_s; left_s > 0; left_s = grace_s - seconds_since(start)) {
    if (child.wait_for(left_s)) return;
  }
}

}  // namespace

LaunchResult launch_trainer(const LaunchOptions& options) {
  LaunchResult result;
  if (interrupt_signal() != 0) {
    result.outcome = Outcome::kInterrupted;
    result.signal = interrupt_signal();
    return result;
  }
  const Clock::time_point start = Clock::now();
  ChildProcess child({.command = options.command,
                      .stdout_file = options.run_dir / (options.log_prefix + "stdout.log"),
                      .stderr_file = options.run_dir / (options.log_prefix + "stderr.log"),
                      .environment = options.environment,
                      .umask = options.umask});
  if (!child.started()) {
    result.stderr_tail = child.start_error();
    return result;
  }
  result.outcome = watch(child, options, start);
  if (result.outcome != Outcome::kExited) ask_to_end(child, options.kill_grace_s);
  const ChildExit exit = child.finish();
  result.seconds = seconds_since(start);
  result.max_rss_bytes = exit.max_rss_bytes;
  result.exit_code = exit.code;
  result.signal = result.outcome == Outcome::kInterrupted ? interrupt_signal() : exit.signal;
  if (result.outcome == Outcome::kExited && exit.signaled) result.outcome = Outcome::kSignaled;
  result.stderr_tail = stderr_tail(options.run_dir / (options.log_prefix + "stderr.log"));
  return result;
}

void install_interrupt_handlers() {
  struct sigaction action {};
  action.sa_handler = remember_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;  // poll is interrupted even so; reads elsewhere are not disturbed
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int interrupt_signal() { return interrupted_by.load(); }

}  // namespace twinrun::harness
