#include <unistd.h>

#include <iostream>

#include "harness/cli/commands.h"
#include "harness/cli/execute.h"
#include "harness/cli/inject.h"
#include "harness/cli/options.h"
#include "harness/cli/resolve.h"
#include "harness/cli/resume.h"
#include "harness/cli/workspace.h"
#include "harness/exit_code.h"
#include "harness/report/progress.h"
#include "harness/report/terminal.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

CommandSpec train_spec() {
  CommandSpec spec;
  spec.name = "train";
  spec.operands = "CASE.yaml --run-dir DIR [--resume]";
  spec.purpose =
      "One run: resolves the case, starts the trainer, watches it. Judges nothing but whether the\n"
      "record is complete and intact.";
  spec.flags.add_options()  //
      ("run-dir", po::value<std::string>()->value_name("DIR"),
       "folder of the run, new or empty")  //
      ("resume",
       "continue the run in DIR, which was stopped: from its newest checkpoint "
       "(train.checkpoint_every), or else from step 0")  //
      ("set", po::value<std::vector<std::string>>()->value_name("KEY=VALUE"),
       "change the case: --set train.steps=3; may be repeated")  //
      ("trainer", po::value<std::string>()->value_name("PROGRAM"),
       "twinrun-train to use (default: beside twinrun, then PATH)")  //
      ("inject", po::value<std::vector<std::string>>()->value_name("KIND@STEP"),
       "for testing: plant a fault (docs/faults.md)")  //
      ("quiet", "no progress on stderr")               //
      ("json", "print the run as JSON instead of text");
  spec.notes = "exit code: 0 complete, 2 usage, 3 the run failed";
  spec.example =
      "  twinrun train baselines/smollm2-chat/case.yaml --run-dir /tmp/run\n"
      "  twinrun train baselines/smollm2-chat/case.yaml --run-dir /tmp/run --resume";
  return spec;
}

}  // namespace

int train_command(const std::vector<std::string>& args) {
  const auto parsed = parse_command(train_spec(), args);
  if (!parsed) return static_cast<int>(ExitCode::kReproduced);
  if (!parsed->has("run-dir")) throw UsageError("train: --run-dir DIR is missing");
  ResolvedCase resolved =
      resolve_for_run(parsed->operands.front(), parsed->list("set"), parsed->text("trainer"));
  const std::vector<std::string> faults = parsed->list("inject");
  for (const std::string& fault : faults) require_fault(fault, planned_steps(resolved.config));
  const fs::path run_dir = parsed->text("run-dir");
  const bool resume = parsed->has("resume");
  if (resume) {
    resolved.config = config_to_resume(resolved.config, run_dir);
  } else if (fs::exists(run_dir / "config.json")) {
    throw UsageError("--run-dir: '" + run_dir.string() +
                     "' holds a run; continue it with --resume, or name a folder that is new");
  } else {
    claim_folder(run_dir, "--run-dir");
  }

  const JudgedRun run =
      execute_run({resolved.config.launch.value("run", "a"), fs::absolute(run_dir), resolved.config,
                   faults, nuisance_of_run(0), resume},
                  resolved, parsed->has("quiet"));
  RunReport report = run_report(run, {});
  report.dir = run_dir;
  report.injected = faults;
  std::cout << (parsed->has("json") ? json_text(to_json(report))
                                    : terminal_text(report, {use_color(STDOUT_FILENO), {}, {}}));
  if (const int signal = interrupt_signal()) return 128 + signal;
  const bool complete = run.view.verdict == Verdict::kReproduced;
  return static_cast<int>(complete ? ExitCode::kReproduced : ExitCode::kNoVerdict);
}

}  // namespace twinrun::harness
