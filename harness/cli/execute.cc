#include "harness/cli/execute.h"

#include <cstring>

#include "harness/cli/resolve.h"
#include "harness/config/trainer_command.h"
#include "harness/exit_code.h"
#include "harness/protocol/record_writer.h"
#include "harness/report/progress.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string write_config(const RunPlan& plan, const ResolvedCase& resolved) {
  protocol::RunConfig config = config_of_run(plan.config, plan.name, plan.inject, plan.nuisance);
  // Of this moment, so that the run states what it was started from even if that has changed.
  config.launch["command_files"] = digest_command_files(resolved.command);
  fs::create_directories(plan.dir);
  const fs::path path = plan.dir / "config.json";
  protocol::write_file_atomically(path, config.to_text());
  return path.string();
}

void refuse_usage_error(const LaunchResult& launch, const RunView& view, const RunPlan& plan) {
  if (launch.outcome == LaunchResult::Outcome::kNotStarted) {
    throw UsageError("the trainer could not be started: " + one_line(launch.stderr_tail));
  }
  const bool usage = launch.outcome == LaunchResult::Outcome::kExited && launch.exit_code == 2 &&
                     manifest_text(view, "status") == "usage_error";
  if (!usage) return;
  throw UsageError("run " + plan.name +
                   ", the trainer says: " + one_line(manifest_text(view, "message")));
}

/// How the process ended.
std::string outcome_text(const LaunchResult& launch, double step_timeout_s) {
  switch (launch.outcome) {
    case LaunchResult::Outcome::kExited:
      return "exited with " + std::to_string(launch.exit_code);
    case LaunchResult::Outcome::kSignaled: {
      const char* name = sigabbrev_np(launch.signal);
      return "killed by " + (name == nullptr ? "signal " + std::to_string(launch.signal)
                                             : "SIG" + std::string(name));
    }
    case LaunchResult::Outcome::kTimedOut: {
      std::string seconds = std::to_string(step_timeout_s);
      seconds.erase(seconds.find_last_not_of('0') + 1);
      if (seconds.back() == '.') seconds.pop_back();
      return "ended by the judge: no step for " + seconds + " s";
    }
    case LaunchResult::Outcome::kInterrupted:
      return "interrupted";
    case LaunchResult::Outcome::kNotStarted:
      return "not started";
  }
  return {};
}

/// What the record alone cannot tell: a process that failed after it had written everything.
void judge_process(const LaunchResult& launch, RunView& view) {
  const bool clean = launch.outcome == LaunchResult::Outcome::kExited && launch.exit_code == 0;
  if (clean) return;
  if (view.verdict == Verdict::kReproduced) {
    view.verdict = Verdict::kInvalid;
    view.problem = "the record is complete, but the trainer did not exit with 0";
  }
  if (view.verdict != Verdict::kInvalid) return;
  switch (launch.outcome) {
    case LaunchResult::Outcome::kExited:
      view.reason = "trainer_failed";
      break;
    case LaunchResult::Outcome::kSignaled:
      view.reason = "trainer_killed";
      break;
    case LaunchResult::Outcome::kTimedOut:
      view.reason = "timed_out";
      break;
    case LaunchResult::Outcome::kInterrupted:
      view.reason = "interrupted";
      break;
    case LaunchResult::Outcome::kNotStarted:
      view.reason = "not_started";
      break;
  }
}

void judge_binary(const ResolvedCase& resolved, RunView& view) {
  const bool worse = view.verdict != Verdict::kReproduced && view.verdict != Verdict::kInvalid;
  if (worse) return;
  const std::string problem = changed_program(resolved);
  if (problem.empty()) return;
  view.verdict = Verdict::kInvalid;
  view.reason = "binary_changed";
  view.problem = problem;
}

}  // namespace

protocol::RunConfig config_of_run(protocol::RunConfig config, const std::string& name,
                                  const std::vector<std::string>& inject,
                                  const Nuisance& nuisance) {
  json& launch = config.launch;
  launch["run"] = name;
  launch["inject"] = inject;
  launch["nuisance"] = nuisance.to_json();
  if (const auto noise = launch.find("shuffle_reductions"); noise != launch.end()) {
    *noise = protocol::derive_seed("shuffle_reductions/" + name, noise->get<std::uint64_t>());
  }
  return config;
}

std::string changed_program(const ResolvedCase& resolved) {
  const json now = digest_command_files(resolved.command);
  for (const auto& file : resolved.config.launch.at("command_files").items()) {
    if (now.value(file.key(), json()) == file.value()) continue;
    return file.key() + (now.contains(file.key()) ? " has changed" : " is gone") +
           " since the first run was prepared: leave the files of trainer.command alone "
           "while runs go on";
  }
  return {};
}

JudgedRun execute_run(const RunPlan& plan, const ResolvedCase& resolved, bool quiet,
                      const RunView* like) {
  LaunchOptions options;
  options.command = resolved.command;
  const std::string config_file = write_config(plan, resolved);
  options.command.insert(options.command.end(),
                         {"train", config_file, "--run-dir", plan.dir.string()});
  options.run_dir = plan.dir;
  if (plan.resume) {
    options.command.push_back("--resume");
    options.also_watched = plan.dir / "timings.jsonl";
  }
  options.step_timeout_s = resolved.step_timeout_s;
  options.environment = plan.nuisance.environment();
  options.umask = plan.nuisance.umask;

  Progress progress("run " + plan.name, planned_steps(plan.config), quiet);
  options.on_progress = [&](std::int64_t step, double seconds) { progress.update(step, seconds); };
  JudgedRun run;
  run.name = plan.name;
  run.launch = launch_trainer(options);
  run.outcome = outcome_text(*run.launch, resolved.step_timeout_s);
  run.view = read_run(plan.dir, like);
  refuse_usage_error(*run.launch, run.view, plan);
  judge_process(*run.launch, run.view);
  judge_binary(resolved, run.view);
  const bool intact = run.view.verdict == Verdict::kReproduced;
  progress.finish(intact ? "complete" : one_line(run.view.problem + " (" + run.outcome + ")"));
  return run;
}

}  // namespace twinrun::harness
