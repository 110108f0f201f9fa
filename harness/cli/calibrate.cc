#include "harness/calibrate/calibrate.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <exception>
#include <iostream>
#include <memory>
#include <mutex>
#include <thread>

#include "harness/baseline/curve.h"
#include "harness/calibrate/reachable.h"
#include "harness/calibrate/restored_run.h"
#include "harness/cli/accept_calibration.h"
#include "harness/cli/commands.h"
#include "harness/cli/execute.h"
#include "harness/cli/find_case.h"
#include "harness/cli/options.h"
#include "harness/cli/resolve.h"
#include "harness/cli/window_runs.h"
#include "harness/cli/workspace.h"
#include "harness/exit_code.h"
#include "harness/launch/folder_lock.h"
#include "harness/launch/launch.h"
#include "harness/protocol/append_file.h"
#include "harness/report/json_fields.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using nlohmann::json;

CommandSpec calibrate_spec() {
  CommandSpec spec;
  spec.name = "calibrate";
  spec.operands = "[CASE.yaml]";
  spec.operands_min = 0;
  spec.purpose =
      "Measures how runs of a case that promises no bits scatter on this machine: many short "
      "runs,\n"
      "the same but for chance. `twinrun verify` then holds its runs against them. What was done\n"
      "is kept: call it again to go on. The result waits beside the case, in calibration/, for\n"
      "--accept.";
  spec.flags.add_options()  //
      ("runs", po::value<std::string>()->value_name("N"),
       "do at most N of the runs now (default: all that are missing)")  //
      ("jobs", po::value<std::string>()->value_name("N"),
       "do N runs at a time (default 1)")  //
      ("work", po::value<std::string>()->value_name("DIR"),
       "where runs are collected (default: twinrun-out/calibrate-NAME)")  //
      ("calibration", po::value<std::string>()->value_name("DIR"),
       "folder of the calibrations (default: calibration, beside the case)")  //
      ("accept",
       "make the pending calibration the one that runs are held against; refused in a "
       "pipeline (CI is set)")                                                            //
      ("why", po::value<std::string>()->value_name("TEXT"), "with --accept: the reason")  //
      ("who", po::value<std::string>()->value_name("NAME"),
       "with --accept: who accepts (default: user.name and user.email of git)")  //
      ("set", po::value<std::vector<std::string>>()->value_name("KEY=VALUE"),
       "change the case: --set statistics.calibration_runs=299; may be repeated")  //
      ("trainer", po::value<std::string>()->value_name("PROGRAM"),
       "twinrun-train to use (default: beside twinrun, then PATH)")  //
      ("quiet", "no progress on stderr");
  spec.notes =
      "exit code: 0 the calibration is there (or the runs asked for are done), 2 usage, 3 a run\n"
      "failed or the runs differ in more than rounding";
  spec.example =
      "  twinrun calibrate case.yaml --runs 10\n"
      "  twinrun calibrate case.yaml\n"
      "  twinrun calibrate case.yaml --accept --why 'first calibration on this GPU'";
  return spec;
}

struct CalibrateOptions {
  ResolvedCase resolved;
  StatisticsSettings settings;
  std::vector<StepWindow> windows;
  fs::path work, folder;
  std::int64_t runs_max = 0, jobs = 1;
  bool quiet = false;

  std::int64_t runs() const { return settings.envelope_runs + settings.calibration_runs; }
};

std::int64_t count_argument(const ParsedCommand& parsed, const std::string& flag) {
  const std::string text = parsed.text(flag);
  const bool digits = !text.empty() && text.size() <= 6 &&
                      text.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || std::stoll(text) < 1) {
    throw UsageError("--" + flag + ": '" + one_line(text) + "' has to be a number from 1 on");
  }
  return std::stoll(text);
}

CalibrateOptions read_options(const ParsedCommand& parsed) {
  CalibrateOptions options;
  const fs::path case_file =
      parsed.operands.empty() ? find_case(parsed.operand_hint) : fs::path(parsed.operands.front());
  options.resolved = resolve_for_run(case_file, parsed.list("set"), parsed.text("trainer"));
  const json statistics = options.resolved.config.judgement.value("statistics", json());
  if (!statistics.is_object()) {
    throw UsageError(case_file.string() + ": numerics is " +
                     options.resolved.config.identity.at("numerics").get<std::string>() +
                     ", whose bits repeat: there is nothing to calibrate. Use numerics: fast, or "
                     "add a section statistics: for a trainer that promises no bits");
  }
  options.settings = statistics_from_json(statistics);
  options.windows = windows_of(options.settings, planned_steps(options.resolved.config));
  const std::string given = parsed.text("work");
  options.work = given.empty() ? fs::path("twinrun-out") / ("calibrate-" + options.resolved.name)
                               : fs::path(given);
  options.folder = calibration_folder(parsed, case_file);
  options.runs_max = parsed.has("runs") ? count_argument(parsed, "runs") : options.runs();
  if (parsed.has("jobs")) options.jobs = count_argument(parsed, "jobs");
  options.quiet = parsed.has("quiet");
  return options;
}

/// What the runs of one calibration have in common; line 1 of runs.jsonl.
json common_of(const CalibrateOptions& options, const json& key) {
  return {{"format", "twinrun-calibration-runs"},
          {"schema", kCalibrationSchema},
          {"identity", protocol::to_hex(options.resolved.config.identity_digest())},
          {"key", key},
          {"statistics", to_json(options.settings)}};
}

void say_plan(const CalibrateOptions& options) {
  if (options.quiet) return;
  std::int64_t steps = 0;
  for (const StepWindow& window : options.windows) steps += window.length();
  std::cerr << "twinrun: " << options.runs() << " runs (" << options.settings.envelope_runs
            << " for the envelope, " << options.settings.calibration_runs << " scored), each "
            << count_of(static_cast<std::int64_t>(options.windows.size()), "window") << " and "
            << steps << " steps; that buys " << false_alarm_text(options.settings) << "\n";
}

/// Runs what is missing of the plan, and keeps the account.
class Calibrator {
 public:
  explicit Calibrator(CalibrateOptions options) : options_(std::move(options)) {
    fs::create_directories(options_.work);
    lock_ = std::make_unique<FolderLock>(options_.work, FolderLock::IfHeld::kGiveUp);
    if (!lock_->held()) {
      throw UsageError(options_.work.string() + ": another calibrate is at work there");
    }
    const json known = stored_runs_of(options_.work);
    if (known.is_object()) open_store(known.value("key", json()));
  }

  /// False if it was interrupted.
  bool run_missing() {
    const std::vector<Item> todo = items_to_do();
    for (const Item& item : todo) {
      const StepWindow& window = *item.window;
      if (window.restored_from > 0 && !fs::exists(reference(window)) && !make_reference(window)) {
        return false;
      }
    }
    next_ = 0;
    {
      // The kernel ends a trainer with the thread that started it; each waits for its own.
      std::vector<std::jthread> workers;
      const auto count =
          std::min<std::size_t>(static_cast<std::size_t>(options_.jobs), todo.size());
      for (std::size_t worker = 0; worker < count; ++worker) {
        workers.emplace_back([this, &todo, worker] { work(todo, worker); });
      }
    }
    if (failure_) std::rethrow_exception(failure_);
    return interrupt_signal() == 0;
  }

  std::int64_t missing() const {
    std::int64_t count = 0;
    for (std::int64_t run = 0; run < options_.runs(); ++run) count += complete(run) ? 0 : 1;
    return count;
  }

  Calibration finish() const {
    const std::string problem = calibration_problem(*store_, options_.settings, options_.windows);
    if (!problem.empty()) throw NoVerdictError(problem);
    std::vector<std::string> checkpoints;
    for (const StepWindow& window : options_.windows) {
      checkpoints.push_back(window.restored_from == 0
                                ? ""
                                : checkpoint_digest(reference(window), window.restored_from));
    }
    Calibration calibration =
        make_calibration(*store_, options_.settings, options_.windows, checkpoints);
    calibration.key = key_;
    calibration.made_by = made_by_;
    calibration.ended = stamp_now();
    return calibration;
  }

  fs::path reference(const StepWindow& window) const {
    return options_.work / "reference" / window.name;
  }
  const CalibrateOptions& options() const { return options_; }
  const json& key() const { return key_; }

 private:
  bool complete(std::int64_t run) const {
    return store_ && std::all_of(options_.windows.begin(), options_.windows.end(),
                                 [&](const StepWindow& window) {
                                   return store_->find(run, window.name) != nullptr;
                                 });
  }

  void open_store(const json& key) {
    store_.emplace(options_.work, common_of(options_, key));
    key_ = key;
  }

  struct Item {
    std::int64_t run = 0;
    const StepWindow* window = nullptr;
  };

  std::vector<Item> items_to_do() const {
    std::vector<Item> items;
    for (std::int64_t run = 0, runs = 0; run < options_.runs(); ++run) {
      if (complete(run)) continue;
      if (runs++ == options_.runs_max) break;
      for (const StepWindow& window : options_.windows) {
        if (store_ && store_->find(run, window.name) != nullptr) continue;
        items.push_back({run, &window});
      }
    }
    return items;
  }

  /// Takes what is next until there is nothing left, something failed or it was interrupted.
  void work(const std::vector<Item>& todo, std::size_t worker) {
    const fs::path dir = options_.work / ("running-" + std::to_string(worker));
    try {
      for (std::size_t i = next_++; i < todo.size() && interrupt_signal() == 0; i = next_++) {
        run_window(todo[i], dir);
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      next_ = todo.size();
    }
  }

  void run_window(const Item& item, const fs::path& dir) {
    const StepWindow& window = *item.window;
    const auto started = std::chrono::steady_clock::now();
    const WindowPlan plan{"calibrate-" + std::to_string(item.run) + "-" + window.name,
                          window,
                          dir,
                          reference(window),
                          static_cast<int>(item.run % 26),
                          {}};
    const auto done = execute_window(plan, options_.resolved);
    if (!done) return;
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;
    const std::lock_guard lock(mutex_);
    seconds_ += elapsed.count() / static_cast<double>(options_.jobs);
    ++executed_;
    require_key(done->run);
    store_->add({item.run, window.name, done->curves});
    if (complete(item.run)) tell(item.run);
    fs::remove_all(dir);
  }

  /// The checkpoint that every run of the window begins from.
  bool make_reference(const StepWindow& window) {
    const fs::path dir = options_.work / "running";
    fs::remove_all(dir);
    const auto run = execute_reference(window, dir, options_.resolved);
    if (!run) return false;
    require_key(*run);
    keep_reference(dir, window.restored_from, reference(window));
    fs::remove_all(dir);
    return true;
  }

  void require_key(const JudgedRun& run) {
    if (run.view.summary.header->promise == protocol::Promise::kBitwise) {
      throw UsageError("the trainer promises equal bits: there is nothing to calibrate");
    }
    const json key = comparability_key(run.view);
    made_by_ = made_by(run.view);
    if (!store_) open_store(key);
    if (key == key_) return;
    throw UsageError(options_.work.string() +
                     ": holds runs of another machine or trainer than this one; they differ in " +
                     key_difference(key_, key) + "; give another folder with --work");
  }

  void tell(std::int64_t run) const {
    if (options_.quiet) return;
    const double each = seconds_ / static_cast<double>(executed_);
    const auto left = static_cast<double>(missing()) * static_cast<double>(options_.windows.size());
    std::cerr << "twinrun: run " << run + 1 << " of " << options_.runs() << ", about "
              << std::lround(std::ceil(each * left / 60)) << " min for all that are left\n";
  }

  CalibrateOptions options_;
  std::unique_ptr<FolderLock> lock_;
  std::optional<RunStore> store_;
  json key_, made_by_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;  ///< of all below, and of the store
  std::exception_ptr failure_;
  double seconds_ = 0;
  std::int64_t executed_ = 0;
};

int write_pending(const Calibrator& calibrator) {
  const Calibration calibration = calibrator.finish();
  const CalibrateOptions& options = calibrator.options();
  fs::create_directories(options.folder);
  const FolderLock lock(options.folder);
  const std::string name = fingerprint(calibration.key);
  for (const StepWindow& window : options.windows) {
    if (window.restored_from == 0) continue;
    keep_reference(calibrator.reference(window), window.restored_from,
                   restored_folder(options.folder, name, window));
  }
  const fs::path file = pending_calibration_file(options.folder, name);
  protocol::write_file_atomically(file, calibration_text(calibration));
  std::cout << "calibrated  " << one_line(file.string()) << "\n"
            << "  runs      " << options.settings.envelope_runs << " for the envelope, "
            << options.settings.calibration_runs << " scored\n"
            << "  buys      " << false_alarm_text(options.settings) << "\n";
  if (const auto reachable = reachable_final_loss(calibration)) {
    std::cout << "  reaches   a margin of " << number_text("%.2g", *reachable)
              << " nats of the final loss at best; declared is "
              << number_text("%g", options.settings.margins.at(kFinalLoss)) << "\n";
  }
  std::cout << "  to do     look at it, then: twinrun calibrate --accept --why TEXT\n";
  return static_cast<int>(ExitCode::kReproduced);
}

}  // namespace

int calibrate_command(const std::vector<std::string>& args) {
  const auto parsed = parse_command(calibrate_spec(), args);
  if (!parsed) return static_cast<int>(ExitCode::kReproduced);
  if (parsed->has("accept")) return accept_calibration(*parsed);
  for (const char* flag : {"why", "who"}) {
    if (parsed->has(flag)) throw UsageError(std::string("--") + flag + " goes with --accept");
  }
  Calibrator calibrator(read_options(*parsed));
  say_plan(calibrator.options());
  if (!calibrator.run_missing()) {
    std::cerr << "twinrun: interrupted; what was done is kept in "
              << calibrator.options().work.string() << "\n";
    return 128 + interrupt_signal();
  }
  if (const std::int64_t missing = calibrator.missing()) {
    std::cout << count_of(missing, "run") << " to go; call it again to go on\n";
    return static_cast<int>(ExitCode::kReproduced);
  }
  return write_pending(calibrator);
}

}  // namespace twinrun::harness
