#include <unistd.h>

#include <iostream>

#include "harness/cli/commands.h"
#include "harness/cli/infer_runs.h"
#include "harness/cli/options.h"
#include "harness/cli/resolve.h"
#include "harness/cli/workspace.h"
#include "harness/config/trainer_command.h"
#include "harness/exit_code.h"
#include "harness/infer/infer_text.h"
#include "harness/protocol/record_writer.h"
#include "harness/report/progress.h"
#include "harness/report/terminal.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using nlohmann::json;

CommandSpec infer_check_spec() {
  CommandSpec spec;
  spec.name = "infer-check";
  spec.operands = "RUN --reference FILE";
  spec.purpose =
      "Lets the trainer generate with the adapter of a run that exists and holds the outputs "
      "against\n"
      "FILE: bit for bit if it promises bits, else within bounds. The control noop-adapter, the "
      "model\n"
      "without the adapter, has to fail. RUN is only read; outputs and verdict.json go to OUT.";
  spec.flags.add_options()  //
      ("reference", po::value<std::string>()->value_name("FILE"),
       "outputs to hold the run against: a run's inference.jsonl, or another implementation's")  //
      ("case", po::value<std::string>()->value_name("CASE.yaml"),
       "the run's case: for paths that have moved, and for a trainer of its own")  //
      ("trainer", po::value<std::string>()->value_name("PROGRAM"),
       "twinrun-train to use (default: beside twinrun, then PATH)")  //
      ("out", po::value<std::string>()->value_name("DIR"),
       "output folder, new or empty (default: twinrun-out/NAME-TIME)")  //
      ("quiet", "no progress on stderr")                                //
      ("json", "print verdict.json instead of text");
  spec.notes =
      "exit code: 0 reproduced, 1 not reproduced, 2 usage, 3 no verdict, 5 evidence broken";
  spec.example =
      "  twinrun infer-check twinrun-out/night/a --reference baselines/smollm2-chat/said.jsonl";
  return spec;
}

protocol::InferenceFile read_reference(const std::string& path) {
  auto read = protocol::read_inference(path);
  if (const auto* problem = std::get_if<protocol::InferenceProblem>(&read)) {
    if (problem->damaged()) throw EvidenceError("--reference: " + problem->at(path));
    throw UsageError("--reference: " + problem->at(path));
  }
  return std::get<protocol::InferenceFile>(std::move(read));
}

/// A run that can be inferred from; one that is broken gets its verdict without a trainer.
RunView read_run_folder(const std::string& folder) {
  RunView run = read_run(fs::absolute(folder).lexically_normal());
  if (!run.config) {
    throw UsageError("'" + folder +
                     "' is not a run folder: it has no config.json that can be "
                     "read; name the folder of a run, such as twinrun-out/x/a");
  }
  return run;
}

/// How the trainer is started: as the case says, or else with the paths that the run has.
ResolvedCase resolve(const ParsedCommand& parsed, const RunView& run) {
  const json& identity = run.config->identity;
  if (parsed.has("case")) {
    ResolvedCase resolved = resolve_for_run(parsed.text("case"), {}, parsed.text("trainer"));
    if (resolved.config.identity_digest() != run.config->identity_digest()) {
      throw UsageError("--case: " + parsed.text("case") +
                       " is not the case of this run: its "
                       "identity is another one");
    }
    return resolved;
  }
  // A command that only the run's folder names is not started: who checks evidence of others does
  // not want to run their programs.
  if (identity.contains("trainer")) {
    throw UsageError("the run is of a trainer of its own: name its case with --case CASE.yaml");
  }
  ResolvedCase resolved;
  resolved.config = *run.config;
  resolved.name = run.config->launch.value("name", "run");
  const fs::path trainer = find_trainer(parsed.text("trainer"));
  if (trainer.empty()) {
    throw UsageError("no twinrun-train beside twinrun or in PATH; name one with --trainer");
  }
  resolved.command = {trainer.string()};
  resolved.config.launch["command_files"] = digest_command_files(resolved.command);
  const json verify = run.config->judgement.value("verify", json::object());
  resolved.step_timeout_s = verify.value("step_timeout_s", resolved.step_timeout_s);
  return resolved;
}

/// launch.inference and judgement.inference: the reference says how, the run or its case what is
/// allowed.
void ask_for(const protocol::InferenceFile& reference, const fs::path& file,
             protocol::RunConfig& config) {
  const auto& header = reference.header;
  const json how = {{"max_new_tokens", header.max_new_tokens},
                    {"batch_size", header.batch_size},
                    {"top", header.top},
                    {"prompts", nullptr}};
  json bounds;
  if (kind_of(header) == ReferenceKind::kOther) {
    bounds = config.judgement.value("inference", json::object()).value("bounds", json());
    if (bounds.is_null()) bounds = to_json(default_bounds(header.dtype));
  }
  config.launch["inference"] = how;
  config.launch["inference"]["reference"] = fs::absolute(file).string();
  config.judgement["inference"] = how;
  config.judgement["inference"]["reference"] = protocol::to_hex(reference.sha256);
  config.judgement["inference"]["bounds"] = bounds;
}

Check control_check(const ControlOutcome& control) {
  if (control.ran && control.passed) {
    return {"controls", Verdict::kReproduced, "passed", control.message};
  }
  const std::string what = std::string("control ") + control.name;
  return control.ran ? Check{"controls", Verdict::kInvalid, "control_failed",
                             what + " failed: " + control.message}
                     : Check{"controls", Verdict::kInconclusive, "controls_not_run",
                             what + " did not run: " + control.message};
}

Check run_check(const RunView& run) {
  const bool intact = run.verdict == Verdict::kReproduced;
  return {"run", run.verdict, run.reason, intact ? "the run is whole" : "the run: " + run.problem};
}

struct InferCheck {
  ResolvedCase resolved;
  RunView run;
  fs::path reference, out;
  bool quiet = false;
};

/// Outputs with the run's adapter and without it, in OUT.
InferenceInput make_outputs(const InferCheck& check) {
  const fs::path base = fs::absolute(check.out);
  InferenceInput input;
  input.settings = check.resolved.config.judgement.at("inference");
  input.reference = check.reference;
  input.shown_reference = fs::relative(fs::absolute(check.reference), base);
  const std::string adapter = (check.run.dir / "adapter").string();
  OutputsSource run =
      execute_infer({"run", base / "run", adapter, check.resolved.config, nuisance_of_run(0)},
                    check.resolved, check.quiet);
  run.shown_file = fs::relative(run.file, base);
  run.run = &check.run;
  input.runs = {run};
  if (interrupt_signal() != 0) return input;
  input.control = execute_infer(
      {kNoopAdapter, base / kNoopAdapter, "none", check.resolved.config, nuisance_of_run(1)},
      check.resolved, check.quiet);
  input.control->shown_file = fs::relative(input.control->file, base);
  input.control->run = &check.run;
  return input;
}

VerdictReport report_of(const InferCheck& check, const InferenceInput* input) {
  VerdictReport report;
  report.case_name = check.resolved.name;
  report.identity = protocol::to_hex(check.run.config->identity_digest());
  report.judgement = check.resolved.config.judgement;
  report.runs = {run_report({"run", check.run, {}, {}}, fs::absolute(check.out))};
  if (input != nullptr) {
    report.inference = judge_inference(*input);
    report.controls = {*report.inference.control};
    report.key = comparability_key(check.run);
    report.fingerprint = fingerprint(report.key);
    report.checks = {report.inference.check, control_check(*report.inference.control)};
  } else {
    report.inference.check.reason = "run_failed";
    report.inference.check.message = "the run is not intact";
    report.checks = {report.inference.check};
  }
  report.checks.push_back(run_check(check.run));
  report.verdict = overall(report.checks);
  return report;
}

}  // namespace

int infer_check_command(const std::vector<std::string>& args) {
  const auto parsed = parse_command(infer_check_spec(), args);
  if (!parsed) return static_cast<int>(ExitCode::kReproduced);
  if (!parsed->has("reference")) {
    throw UsageError("infer-check: --reference FILE is missing");
  }
  InferCheck check;
  check.reference = parsed->text("reference");
  const protocol::InferenceFile reference = read_reference(parsed->text("reference"));
  check.run = read_run_folder(parsed->operands.front());
  check.resolved = resolve(*parsed, check.run);
  const std::string other = made_with_another(reference.header, check.run.config->identity);
  if (!other.empty()) throw UsageError("--reference: was made with " + other);
  ask_for(reference, check.reference, check.resolved.config);
  check.quiet = parsed->has("quiet");
  check.out = parsed->has("out") ? fs::path(parsed->text("out"))
                                 : default_output_folder(check.resolved.name);
  claim_folder(check.out, "--out");
  if (!parsed->has("out")) std::cerr << "twinrun: writing to " << check.out.string() << "\n";

  const std::string started = utc_now();
  const bool intact = check.run.verdict == Verdict::kReproduced;
  InferenceInput input;
  if (intact) input = make_outputs(check);
  if (const int signal = interrupt_signal()) {
    std::cerr << "twinrun: interrupted, no verdict\n";
    return 128 + signal;
  }
  VerdictReport report = report_of(check, intact ? &input : nullptr);
  report.started = started;
  report.ended = utc_now();
  const std::string text = json_text(to_json(report));
  protocol::write_file_atomically(check.out / "verdict.json", text);
  std::cout << (parsed->has("json")
                    ? text
                    : terminal_text(report, {use_color(STDOUT_FILENO), check.out / "verdict.json",
                                             check.out}));
  return static_cast<int>(exit_code(report.verdict));
}

}  // namespace twinrun::harness
