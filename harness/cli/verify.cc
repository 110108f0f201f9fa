#include <unistd.h>

#include <iostream>

#include "harness/baseline/write_curve.h"
#include "harness/cli/commands.h"
#include "harness/cli/execute.h"
#include "harness/cli/find_case.h"
#include "harness/cli/infer_runs.h"
#include "harness/cli/inject.h"
#include "harness/cli/judge.h"
#include "harness/cli/options.h"
#include "harness/cli/propose.h"
#include "harness/cli/reachable_margins.h"
#include "harness/cli/resolve.h"
#include "harness/cli/statistics_runs.h"
#include "harness/cli/window_runs.h"
#include "harness/cli/workspace.h"
#include "harness/exit_code.h"
#include "harness/protocol/record_writer.h"
#include "harness/report/progress.h"
#include "harness/report/terminal.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr const char* kSeedPlusOne = "seed-plus-one";

CommandSpec verify_spec() {
  CommandSpec spec;
  spec.name = "verify";
  spec.operands = "[CASE.yaml]";
  spec.operands_min = 0;
  spec.purpose =
      "Trains the case several times in fresh processes, under equal seeds and unlike "
      "surroundings,\n"
      "and judges the runs bit for bit, or where the trainer promises no bits against a "
      "calibration\n"
      "(twinrun calibrate). A control run with another seed has to differ. Writes "
      "OUT/verdict.json\n"
      "beside the runs. Without CASE.yaml the case is twinrun.yaml, or the one "
      "baselines/*/case.yaml.";
  spec.flags.add_options()                                                                     //
      ("runs", po::value<std::string>()->value_name("N"), "how often to train (verify.runs)")  //
      ("out", po::value<std::string>()->value_name("DIR"),
       "output folder, new or empty (default: twinrun-out/NAME-TIME)")  //
      ("set", po::value<std::vector<std::string>>()->value_name("KEY=VALUE"),
       "change the case: --set train.steps=3; may be repeated")  //
      ("trainer", po::value<std::string>()->value_name("PROGRAM"),
       "twinrun-train to use (default: beside twinrun, then PATH)")  //
      ("inject", po::value<std::vector<std::string>>()->value_name("RUN:KIND@STEP"),
       "for testing: plant a fault in run a, b, ... or both (every run)")  //
      ("baseline", po::value<std::string>()->implicit_value("", "curves")->value_name("DIR"),
       "hold run a against the curve of its fingerprint in DIR (default: the folder curves "
       "beside the case); stands behind CASE.yaml")  //
      ("on-missing-baseline", po::value<std::string>()->value_name("warn|fail"),
       "where there is no such curve: warn (default; the twins alone decide) or fail "
       "(INCONCLUSIVE)")  //
      ("calibration", po::value<std::string>()->value_name("DIR"),
       "folder of the calibrations that runs without a promise of bits are held against "
       "(default: calibration, beside the case)")  //
      ("write-curve", po::value<std::string>()->value_name("FILE"),
       "freeze run a as FILE.jsonl, or as FOLDER/FINGERPRINT.jsonl, if the verdict is "
       "REPRODUCED")                      //
      ("quiet", "no progress on stderr")  //
      ("json", "print verdict.json instead of text");
  spec.notes =
      "exit code: 0 reproduced, 1 not reproduced, 2 usage, 3 no verdict, 5 evidence broken";
  spec.example =
      "  twinrun verify baselines/smollm2-chat/case.yaml\n"
      "  twinrun verify case.yaml --runs 3 --set train.steps=5 --out /tmp/three\n"
      "  twinrun verify case.yaml --baseline --on-missing-baseline fail";
  return spec;
}

/// What `verify` was asked to do.
struct VerifyOptions {
  ResolvedCase resolved;
  std::vector<std::string> run_names;
  std::vector<RunInjection> injections;
  std::optional<BaselineRequest> baseline;
  std::optional<CurveTarget> curve;
  fs::path calibrations;
  bool changed = false;  ///< by --set
  bool planted = false;  ///< a fault, in any run
  fs::path out;          ///< as the user is to read it
  bool quiet = false, json = false;
};

std::optional<BaselineRequest> baseline_request(const ParsedCommand& parsed,
                                                const fs::path& case_file) {
  const std::string action = parsed.text("on-missing-baseline");
  if (!parsed.has("baseline")) {
    if (action.empty()) return std::nullopt;
    throw UsageError("--on-missing-baseline says what to do for --baseline, which is not given");
  }
  if (!action.empty() && action != "warn" && action != "fail") {
    throw UsageError("--on-missing-baseline: '" + one_line(action) + "' has to be warn or fail");
  }
  const std::string given = parsed.text("baseline");
  const fs::path beside = case_file.parent_path() / "curves";
  const fs::path folder = given.empty() ? beside : fs::path(given);
  // Of the default one only that it is no folder is an error: a case need not have curves yet.
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored) && (!given.empty() || fs::exists(folder, ignored))) {
    throw UsageError("--baseline: '" + folder.string() + "' is no folder; name that of the curves");
  }
  return BaselineRequest{folder, action == "fail"};
}

std::optional<CurveTarget> curve_to_write(const ParsedCommand& parsed) {
  if (!parsed.has("write-curve")) return std::nullopt;
  if (parsed.has("inject")) {
    throw UsageError("--write-curve freezes what a case gives, so it does not go with --inject");
  }
  return curve_target(parsed.text("write-curve"), "--write-curve");
}

VerifyOptions read_options(const ParsedCommand& parsed) {
  VerifyOptions options;
  std::vector<std::string> overrides = parsed.list("set");
  if (parsed.has("runs")) overrides.push_back("verify.runs=" + parsed.text("runs"));
  const fs::path case_file =
      parsed.operands.empty() ? find_case(parsed.operand_hint) : fs::path(parsed.operands.front());
  options.resolved = resolve_for_run(case_file, overrides, parsed.text("trainer"));
  for (int i = 0; i < options.resolved.runs; ++i) {
    options.run_names.emplace_back(1, static_cast<char>('a' + i));
  }
  options.injections = parse_run_injections(parsed.list("inject"), options.run_names,
                                            planned_steps(options.resolved.config));
  options.changed = parsed.has("set");
  options.planted = parsed.has("inject");
  options.baseline = baseline_request(parsed, case_file);
  options.curve = curve_to_write(parsed);
  options.calibrations = calibration_folder(parsed, case_file);
  options.quiet = parsed.has("quiet");
  options.json = parsed.has("json");
  options.out = parsed.has("out") ? fs::path(parsed.text("out"))
                                  : default_output_folder(options.resolved.name);
  claim_folder(options.out, "--out");
  if (!parsed.has("out")) std::cerr << "twinrun: writing to " << options.out.string() << "\n";
  return options;
}

/// What runs that promise no bits are judged by, besides themselves.
void run_calibrated_windows(const VerifyOptions& options, const JudgeInput& input) {
  if (promises_bits(input.runs) || !all_intact(input.runs)) return;
  std::vector<std::vector<std::string>> faults;
  for (const std::string& name : options.run_names) {
    faults.push_back(faults_of(options.injections, name));
  }
  run_windows(options.resolved, options.calibrations, input.base, input.runs, faults,
              options.quiet);
}

/// Trains every twin, then the control. Stops early only when interrupted.
JudgeInput train_runs(const VerifyOptions& options) {
  JudgeInput input;
  input.base = input.statistics = fs::absolute(options.out);
  input.controls_seed = random_seed();
  input.baseline = options.baseline;
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
  run_calibrated_windows(options, input);
  const bool asked = options.resolved.config.launch.contains("inference");
  if (asked && interrupt_signal() == 0) {
    input.inference = InferenceInput{};
    if (all_intact(input.runs)) {
      input.inference = infer_runs(options.resolved, input.base, input.runs, options.quiet);
    }
  }
  return input;
}

/// Freezes run a where that was asked for and the verdict allows it, and says what came of it.
void freeze_curve(const VerifyOptions& options, const JudgeInput& input,
                  const VerdictReport& report, const std::string& verdict_text) {
  if (!options.curve) return;
  if (report.verdict != Verdict::kReproduced) {
    std::cerr << "twinrun: no curve was written: the verdict is " << to_string(report.verdict)
              << ", not REPRODUCED\n";
    return;
  }
  const fs::path file =
      write_curve(*options.curve, input.runs.front().view, verdict_text, report.ended);
  std::cerr << "twinrun: run a is frozen as " << file.string() << "\n";
}

}  // namespace

int verify_command(const std::vector<std::string>& args) {
  const auto parsed = parse_command(verify_spec(), args);
  if (!parsed) return static_cast<int>(ExitCode::kReproduced);
  const VerifyOptions options = read_options(*parsed);
  const std::string started = utc_now();
  if (!options.quiet) {
    for (const std::string& line : reachable_lines(options.resolved, options.calibrations)) {
      std::cerr << "twinrun: " << line << "\n";
    }
  }
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
  std::cout.flush();
  freeze_curve(options, input, report, json);
  if (options.baseline) {
    const fs::path& folder = options.baseline->folder;
    const std::string planted = options.planted ? "a fault was planted" : "";
    // What was frozen by name needs no proposal.
    if (!options.curve) propose(folder, input.runs.front().view, report, json, planted);
    // A changed case meets other curves than the case that it was made of.
    if (!options.changed) tell_obsolete(folder, report.identity);
  }
  return static_cast<int>(exit_code(report.verdict));
}

}  // namespace twinrun::harness
