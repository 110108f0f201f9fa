#include "harness/cli/cli.h"

#include <algorithm>
#include <iostream>

#include "harness/cli/commands.h"
#include "harness/cli/doctor.h"
#include "harness/config/case.h"
#include "harness/exit_code.h"
#include "harness/report/text.h"
#include "harness/report/verdict_json.h"

namespace twinrun::harness {

const std::vector<Command>& commands() {
  static const std::vector<Command> list = {
      {"verify", "train a case several times, compare the runs bit for bit, report",
       verify_command},
      {"train", "one run: resolve the case, start the trainer, watch it", train_command},
      {"calibrate", "measure how runs scatter whose bits do not repeat", calibrate_command},
      {"compare", "judge runs that already exist", compare_command},
      {"report", "show a verdict to people and machines: HTML, Markdown, JUnit, GitHub annotations",
       report_command},
      {"bundle", "pack a verdict with its records; check such a bundle and judge it again",
       bundle_command},
      {"infer-check", "hold what a run's adapter says against reference outputs",
       infer_check_command},
      {"doctor", "what on this machine or in this case would break a run", doctor_command},
      {"baseline", "the frozen curves: review, accept, reject, prune, show", baseline_command,
       baseline_parts()},
      {"init", "make a repository ready: a case, the workflow of the gate", init_command},
      {"completion", "what a shell needs to complete these commands: bash, zsh",
       completion_command},
      {"bench", "what determinism costs, as a ratio with an interval", bench_command},
      {"split", "", {}}};
  return list;
}

namespace {

std::string overview() {
  std::string text =
      "twinrun: run a LoRA fine-tuning job twice and prove, bit for bit, whether it reproduces.\n\n"
      "usage: twinrun COMMAND ...\n\n";
  std::size_t width = std::string("--version").size();
  for (const Command& command : commands()) {
    if (command.run) width = std::max(width, command.name.size());
  }
  const auto add = [&text, width](const std::string& name, const std::string& purpose) {
    text += "  " + name + std::string(width + 1 - name.size(), ' ') + purpose + "\n";
  };
  for (const Command& command : commands()) {
    if (command.run) add(command.name, command.purpose);
  }
  add("--version", "what this program was built from");
  text +=
      "\n"
      "exit code: 0 reproduced, 1 not reproduced, 2 usage, 3 no verdict, 4 internal,\n"
      "           5 evidence broken, 130 or 143 interrupted\n"
      "`twinrun COMMAND --help` says more.\n\n"
      "example:\n  twinrun verify baselines/smollm2-chat/case.yaml\n";
  return text;
}

std::string version_text() {
  const ProgramVersion program = program_version();
  const std::string commit = program.git_commit.empty() ? "unknown" : program.git_commit;
  return "twinrun " + program.version + " (commit " + commit +
         (program.git_dirty ? ", with local changes" : "") + ")\n";
}

}  // namespace

int run_command_line(const std::vector<std::string>& args) {
  if (args.empty()) throw UsageError("no command given; `twinrun --help` lists them");
  const std::string& word = args.front();
  if (word == "--help" || word == "-h") {
    std::cout << overview();
    return static_cast<int>(ExitCode::kReproduced);
  }
  if (word == "--version") {
    std::cout << version_text();
    return static_cast<int>(ExitCode::kReproduced);
  }
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    names.push_back(command.name);
    if (command.name != word) continue;
    if (!command.run) throw UsageError("`twinrun " + word + "` is known but not built yet");
    return command.run({args.begin() + 1, args.end()});
  }
  const std::string near = nearest_word(word, names);
  throw UsageError("no command '" + one_line(word) + "'" +
                   (near.empty() ? "" : "; did you mean '" + near + "'?") +
                   " `twinrun --help` lists them");
}

}  // namespace twinrun::harness
