#include "harness/bench/arm_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "harness/config/trainer_command.h"
#include "harness/exit_code.h"
#include "harness/launch/child_process.h"
#include "harness/launch/launch.h"
#include "harness/launch/stderr_tail.h"
#include "harness/protocol/append_file.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kWarmUpSteps = 20;
constexpr std::size_t kLineBytesMax = 1 << 20;
constexpr double kQuit_s = 10;  ///< to leave the GPU after "quit"

std::int64_t steady_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// A pipe; an end that was given away or closed is -1.
struct Pipe {
  int read_end = -1, write_end = -1;
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
      throw std::runtime_error(std::string("pipe: ") + std::strerror(errno));
    }
    read_end = ends[0];
    write_end = ends[1];
  }
  ~Pipe() {
    close_end(read_end);
    close_end(write_end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  static void close_end(int& end) {
    if (end >= 0) close(end);
    end = -1;
  }
};

/// One trainer that answers line by line.
class TrainerArm : public Arm {
 public:
  TrainerArm(const ResolvedCase& resolved, const ArmSpec& spec, const fs::path& dir)
      : spec_(spec), dir_(dir), timeout_s_(resolved.step_timeout_s) {
    ChildOptions options;
    options.command = resolved.command;
    options.command.insert(options.command.end(),
                           {"bench", (dir / "config.json").string(), "--run-dir", dir.string()});
    options.stderr_file = dir / "stderr.log";
    options.stdin_fd = commands_.read_end;
    options.stdout_fd = answers_.write_end;
    child_ = std::make_unique<ChildProcess>(options);
    Pipe::close_end(commands_.read_end);
    Pipe::close_end(answers_.write_end);
    if (!child_->started()) {
      throw UsageError("the trainer could not be started: " + one_line(child_->start_error()));
    }
    ready_ = named([&] { return parse_ready(next_line("to be warm"), spec); });
  }

  ~TrainerArm() override {
    send("quit\n");
    Pipe::close_end(commands_.write_end);
    const std::int64_t begin_ns = steady_ns();
    while (interrupt_signal() == 0 && !child_->wait_for(0.05)) {
      if (static_cast<double>(steady_ns() - begin_ns) > kQuit_s * 1e9) break;
    }
    child_->finish();
  }

  const ArmReady& ready() const override { return ready_; }

  Window run(std::int64_t steps) override {
    send("run " + std::to_string(steps) + "\n");
    return named([&] {
      return parse_window(next_line("for " + count_of(steps, "step")), ++windows_, steps);
    });
  }

 private:
  /// A trainer that is gone is noticed when its answer is missing.
  void send(const std::string& text) const {
    // MSG_NOSIGNAL is for sockets only: the signal that a closed pipe sends is blocked instead.
    sigset_t pipe_signal, before;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    const ssize_t written = write(commands_.write_end, text.data(), text.size());
    if (written < 0 && errno == EPIPE) {
      const timespec none{};
      sigtimedwait(&pipe_signal, nullptr, &none);
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  /// What `read` returns; its ArmErrors then say whose they are.
  template <typename Read>
  std::invoke_result_t<Read> named(Read read) {
    try {
      return read();
    } catch (const ArmError& error) {
      throw ArmError(error.reason, "arm " + spec_.name + ": " + error.what());
    }
  }
  std::string next_line(const std::string& what);
  [[noreturn]] void report_end();

  ArmSpec spec_;
  fs::path dir_;
  double timeout_s_;
  Pipe commands_, answers_;
  std::unique_ptr<ChildProcess> child_;
  ArmReady ready_;
  std::string pending_;  // read, but no whole line yet
  std::int64_t windows_ = 0;
};

std::string TrainerArm::next_line(const std::string& what) {
  const std::int64_t begin_ns = steady_ns();
  while (true) {
    if (const std::size_t end = pending_.find('\n'); end != std::string::npos) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return line;
    }
    if (pending_.size() > kLineBytesMax) {
      throw ArmError("malformed", "writes a line without end to stdout");
    }
    if (interrupt_signal() != 0) throw BenchInterrupted{};
    if (static_cast<double>(steady_ns() - begin_ns) > timeout_s_ * 1e9) {
      child_->signal_group(SIGKILL);
      throw ArmError("timed_out", "did not answer in time " + what + " (verify.step_timeout_s)");
    }
    constexpr int kPoll_ms = 50;
    pollfd answer{answers_.read_end, POLLIN, 0};
    if (poll(&answer, 1, kPoll_ms) <= 0) continue;
    char buffer[4096];
    const ssize_t got = read(answers_.read_end, buffer, sizeof buffer);
    if (got == 0) report_end();
    if (got > 0) pending_.append(buffer, static_cast<std::size_t>(got));
  }
}

void TrainerArm::report_end() {
  // It closed its answers: normally since it ends. One that goes on without is ended.
  for (int i = 0; i < 100 && !child_->wait_for(0.05); ++i) {
    if (interrupt_signal() != 0) throw BenchInterrupted{};
  }
  const ChildExit exit = child_->finish();
  std::string tail = stderr_tail(dir_ / "stderr.log");
  while (!tail.empty() && tail.back() == '\n') tail.pop_back();
  const std::string said = tail.empty() ? "" : ":\n" + tail;
  if (!exit.signaled && exit.code == 2 && spec_.switches.empty()) {
    throw UsageError("arm " + spec_.name + ", the trainer says" + said);
  }
  throw ArmError(exit.signaled ? "trainer_killed" : "trainer_failed",
                 "ended with " +
                     (exit.signaled ? "signal " + std::to_string(exit.signal)
                                    : "exit code " + std::to_string(exit.code)) +
                     said);
}

}  // namespace

TrainerArms::TrainerArms(ResolvedCase resolved, fs::path folder)
    : resolved_(std::move(resolved)), folder_(std::move(folder)), begin_ns_(steady_ns()) {}

std::unique_ptr<Arm> TrainerArms::start(const ArmSpec& spec, std::int64_t process) {
  const fs::path dir = folder_ / "arms" / (std::to_string(process) + "-" + spec.name);
  fs::create_directories(dir);
  protocol::RunConfig config = resolved_.config;
  config.identity["numerics"] = spec.numerics;
  config.launch["run"] = spec.name;
  config.launch["command_files"] = digest_command_files(resolved_.command);
  if (config.launch["command_files"] != resolved_.config.launch.at("command_files")) {
    throw ArmError("binary_changed",
                   "a file of the trainer's command has changed since the first "
                   "arm was started: leave them alone while arms are timed");
  }
  config.launch["bench"] = {
      {"warmup_steps", kWarmUpSteps}, {"delay", spec.delay}, {"switches", spec.switches}};
  protocol::write_file_atomically(dir / "config.json", config.to_text());
  return std::make_unique<TrainerArm>(resolved_, spec, dir);
}

double TrainerArms::now_s() { return static_cast<double>(steady_ns() - begin_ns_) * 1e-9; }

}  // namespace twinrun::harness
