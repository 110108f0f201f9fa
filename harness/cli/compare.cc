#include <unistd.h>

#include <iostream>
#include <limits>
#include <set>

#include "harness/calibrate/judge_across.h"
#include "harness/cli/commands.h"
#include "harness/cli/infer_runs.h"
#include "harness/cli/judge.h"
#include "harness/cli/options.h"
#include "harness/cli/workspace.h"
#include "harness/exit_code.h"
#include "harness/protocol/record_writer.h"
#include "harness/report/progress.h"
#include "harness/report/terminal.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

CommandSpec compare_spec() {
  CommandSpec spec;
  spec.name = "compare";
  spec.operands = "RUN_A RUN_B [...]";
  spec.operands_min = 2;
  spec.operands_max = std::numeric_limits<std::size_t>::max();
  spec.purpose =
      "Judges run folders that exist, bit for bit: chains and digests, then every line. The "
      "control\n"
      "run is looked for beside the runs, in RUN/../controls/seed-plus-one. Outputs of inference, "
      "where\n"
      "the runs have them, are judged again, with RUN/../reference.jsonl and "
      "RUN/../controls/noop-adapter.";
  spec.flags.add_options()  //
      ("without-controls",
       "judge without the control run; the verdict says so. Otherwise a missing one is "
       "INCONCLUSIVE")  //
      ("across",
       "the runs are of several kinds of machine: judge their metrics by the margins that the case "
       "declares, and say how far runs with other seeds are apart")  //
      ("out", po::value<std::string>()->value_name("FILE"),
       "write the verdict there too, as JSON")  //
      ("json", "print the verdict as JSON instead of text");
  spec.notes =
      "exit code: 0 reproduced, 1 not reproduced, 2 usage, 3 no verdict, 5 evidence broken";
  spec.example = "  twinrun compare twinrun-out/night/a twinrun-out/night/b";
  return spec;
}

void require_run_folder(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw UsageError("'" + folder.string() + "' is no folder; name the folder of a run");
  }
  for (const char* file : {"config.json", "manifest.json", "steps.jsonl"}) {
    if (fs::exists(folder / file, ignored)) return;
  }
  throw UsageError("'" + folder.string() +
                   "' is not a run folder: no config.json, manifest.json or steps.jsonl in it");
}

/// The folder's own name where that tells the runs apart, else the path as it was given.
std::vector<std::string> run_names(const std::vector<std::string>& folders) {
  std::vector<std::string> names;
  for (const std::string& folder : folders) {
    const fs::path path = fs::absolute(folder).lexically_normal();
    names.push_back((path.has_filename() ? path : path.parent_path()).filename().string());
  }
  const std::set<std::string> distinct(names.begin(), names.end());
  return distinct.size() == names.size() ? names : folders;
}

/// The stored control beside the first run that has one.
std::optional<JudgedRun> stored_control(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    const fs::path control =
        fs::weakly_canonical(folder).parent_path() / "controls" / "seed-plus-one";
    if (fs::is_directory(control)) return JudgedRun{"seed-plus-one", read_run(control), {}, {}};
  }
  return std::nullopt;
}

/// Refuses runs that --across has nothing to say of.
void require_kinds(const std::vector<JudgedRun>& runs) {
  std::vector<const RunView*> views;
  for (const JudgedRun& run : runs) {
    if (!run.view.config || !run.view.summary.header) return;  // the verdict says what it lacks
    views.push_back(&run.view);
  }
  if (!pairs_across(views).empty()) return;
  throw UsageError(
      "no two of these runs are of the same experiment and seeds on different kinds of machine; "
      "without --across they are compared bit for bit");
}

}  // namespace

int compare_command(const std::vector<std::string>& args) {
  const auto parsed = parse_command(compare_spec(), args);
  if (!parsed) return static_cast<int>(ExitCode::kReproduced);
  for (const std::string& folder : parsed->operands) require_run_folder(folder);
  const std::string started = utc_now();
  JudgeInput input;
  const std::vector<std::string> names = run_names(parsed->operands);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const RunView* like = input.runs.empty() ? nullptr : &input.runs.front().view;
    input.runs.push_back({names[i], read_run(parsed->operands[i], like), {}, {}});
  }
  input.across = parsed->has("across");
  if (input.across) require_kinds(input.runs);
  input.without_controls = parsed->has("without-controls");
  if (!input.without_controls) input.control = stored_control(parsed->operands);
  input.control_missing = input.without_controls
                              ? "waived by --without-controls"
                              : "none is stored beside the runs; --without-controls waives it";
  input.controls_seed = random_seed();
  const fs::path out = parsed->text("out");
  if (!out.empty()) input.base = fs::absolute(out).parent_path();
  input.statistics = fs::weakly_canonical(parsed->operands.front()).parent_path();
  input.inference = stored_inference(input.runs, input.base, !input.without_controls);
  VerdictReport report = judge(input);
  report.started = started;
  report.ended = utc_now();
  const std::string json = json_text(to_json(report));
  if (!out.empty()) protocol::write_file_atomically(out, json);
  std::cout << (parsed->has("json")
                    ? json
                    : terminal_text(report, {use_color(STDOUT_FILENO), out, input.base}));
  return static_cast<int>(exit_code(report.verdict));
}

}  // namespace twinrun::harness
