#include <unistd.h>

#include <iostream>

#include "harness/cli/commands.h"
#include "harness/cli/execute.h"
#include "harness/cli/inject.h"
#include "harness/cli/judge.h"
#include "harness/cli/options.h"
#include "harness/cli/resolve.h"
#include "harness/cli/workspace.h"
#include "harness/exit_code.h"
#include "harness/protocol/record_writer.h"
#include "harness/report/progress.h"
#include "harness/report/terminal.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr const char* kSeedPlusOne = "seed-plus-one";

CommandSpec verify_spec() {
  CommandSpec spec;
  spec.name = "verify";
  spec.operands = "CASE.yaml";
  spec.purpose =
      "Trains the case several times in fresh processes, under equal seeds and unlike "
      "surroundings,\n"
      "and judges the runs bit for bit. A control run with another seed has to differ. Writes\n"
      "OUT/verdict.json beside the runs.";
  spec.flags.add_options()                                                                     //
      ("runs", po::value<std::string>()->value_name("N"), "how often to train (verify.runs)")  //
      ("out", po::value<std::string>()->value_name("DIR"),
       "output folder, new or empty (default: twinrun-out/NAME-TIME)")  //
      ("set", po::value<std::vector<std::string>>()->value_name("KEY=VALUE"),
       "change the case: --set train.steps=3; may be repeated")  //
      ("trainer", po::value<std::string>()->value_name("PROGRAM"),
       "twinrun-train to use (default: beside twinrun, then PATH)")  //
      ("inject", po::value<std::vector<std::string>>()->value_name("RUN:KIND@STEP"),
       "for testing: plant a fault in run a, b, ... or both (every run)")                       //
      ("baseline", "not built yet")                                                             //
      ("on-missing-baseline", po::value<std::string>()->value_name("ACTION"), "not built yet")  //
      ("quiet", "no progress on stderr")                                                        //
      ("json", "print verdict.json instead of text");
  spec.notes =
      "exit code: 0 reproduced, 1 not reproduced, 2 usage, 3 no verdict, 5 evidence broken";
  spec.example =
      "  twinrun verify baselines/smollm2-chat/case.yaml\n"
      "  twinrun verify case.yaml --runs 3 --set train.steps=5 --out /tmp/three";
  return spec;
}

/// What `verify` was asked to do.
struct VerifyOptions {
  ResolvedCase resolved;
  std::vector<std::string> run_names;
  std::vector<RunInjection> injections;
  fs::path out;  ///< as the user is to read it
  bool quiet = false, json = false;
};

VerifyOptions read_options(const ParsedCommand& parsed) {
  if (parsed.has("baseline") || parsed.has("on-missing-baseline")) {
    throw UsageError("--baseline is known but not built yet");
  }
  VerifyOptions options;
  std::vector<std::string> overrides = parsed.list("set");
  if (parsed.has("runs")) overrides.push_back("verify.runs=" + parsed.text("runs"));
  options.resolved = resolve_for_run(parsed.operands.front(), overrides, parsed.text("trainer"));
  for (int i = 0; i < options.resolved.runs; ++i) {
    options.run_names.emplace_back(1, static_cast<char>('a' + i));
  }
  options.injections = parse_run_injections(parsed.list("inject"), options.run_names,
                                            planned_steps(options.resolved.config));
  options.quiet = parsed.has("quiet");
  options.json = parsed.has("json");
  options.out = parsed.has("out") ? fs::path(parsed.text("out"))
                                  : default_output_folder(options.resolved.name);
  claim_folder(options.out, "--out");
  if (!parsed.has("out")) std::cerr << "twinrun: writing to " << options.out.string() << "\n";
  return options;
}

/// Trains every twin, then the control. Stops early only when interrupted.
JudgeInput train_runs(const VerifyOptions& options) {
  JudgeInput input;
  input.base = fs::absolute(options.out);
  input.controls_seed = random_seed();
  int index = 0;
  for (const std::string& name : options.run_names) {
    if (interrupt_signal() != 0) return input;
    input.runs.push_back(
        execute_run({name, input.base / name, options.resolved.config,
                     faults_of(options.injections, name), nuisance_of_run(index++)},
                    options.resolved, options.quiet));
  }
  if (!options.resolved.controls) {
    input.control_missing = "verify.controls is false";
  } else if (all_intact(input.runs) && interrupt_signal() == 0) {
    input.control =
        execute_run({kSeedPlusOne, input.base / "controls" / kSeedPlusOne,
                     seed_plus_one(options.resolved.config),
                     faults_of(options.injections, kSeedPlusOne), nuisance_of_run(index)},
                    options.resolved, options.quiet);
  }
  return input;
}

}  // namespace

int verify_command(const std::vector<std::string>& args) {
  const auto parsed = parse_command(verify_spec(), args);
  if (!parsed) return static_cast<int>(ExitCode::kReproduced);
  const VerifyOptions options = read_options(*parsed);
  const std::string started = utc_now();
  const JudgeInput input = train_runs(options);
  if (const int signal = interrupt_signal()) {
    std::cerr << "twinrun: interrupted, no verdict; what was recorded lies in "
              << options.out.string() << "\n";
    return 128 + signal;
  }
  VerdictReport report = judge(input);
  report.started = started;
  report.ended = utc_now();
  const std::string json = json_text(to_json(report));
  protocol::write_file_atomically(options.out / "verdict.json", json);
  std::cout << (options.json ? json
                             : terminal_text(report, {use_color(STDOUT_FILENO),
                                                      options.out / "verdict.json", options.out}));
  return static_cast<int>(exit_code(report.verdict));
}

}  // namespace twinrun::harness
