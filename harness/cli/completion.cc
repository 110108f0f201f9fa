#include <iostream>
#include <sstream>

#include "harness/cli/commands.h"
#include "harness/cli/completion_script.h"
#include "harness/cli/options.h"
#include "harness/exit_code.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

using Kind = Completed::Kind;

CommandSpec completion_spec() {
  CommandSpec spec;
  spec.name = "completion";
  spec.operands = "bash | zsh";
  spec.purpose =
      "Prints a script that makes the shell complete commands, flags and files of twinrun. It is "
      "made\nfrom the tables that the commands themselves are parsed by.";
  spec.notes = "exit code: 0 done, 2 usage";
  spec.example =
      "  source <(twinrun completion bash)                       # in ~/.bashrc\n"
      "  twinrun completion zsh > ~/.zsh/completions/_twinrun    # a folder in fpath";
  return spec;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// What the name of a value in the help (DIR, FILE, warn|fail, CASE.yaml) stands for.
Completed completed(const std::string& name) {
  if (has(name, ".yaml")) return {Kind::kCases, {}};
  const bool words =
      has(name, "|") && name.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ[.") == std::string::npos;
  if (words) {
    Completed offered{Kind::kWords, {}};
    std::istringstream parts(name);
    for (std::string word; std::getline(parts, word, '|');) {
      word.erase(0, word.find_first_not_of(' '));
      word.erase(word.find_last_not_of(' ') + 1);
      offered.words.push_back(word);
    }
    return offered;
  }
  for (const char* file : {"FILE", "PROGRAM", ".json", "DATA", "BUNDLE"}) {
    if (has(name, file)) return {Kind::kFiles, {}};
  }
  for (const char* folder : {"DIR", "FOLDER", "RUN"}) {
    if (has(name, folder)) return {Kind::kFolders, {}};
  }
  return {};
}

CompletedFlag completed_flag(const boost::program_options::option_description& option) {
  CompletedFlag flag;
  flag.name = "--" + option.long_name();
  flag.about = one_line(option.description());
  const auto& value = *option.semantic();
  if (value.max_tokens() == 0) return flag;
  flag.optional = value.min_tokens() == 0;
  // As the help shows it: `arg`, `DIR`, `[=DIR(=curves)]`.
  std::string name = value.name();
  if (flag.optional && name.starts_with("[=")) name = name.substr(2, name.find_first_of("(]") - 2);
  flag.value = name;
  // A RUN:KIND@STEP is no folder.
  if (!has(name, ":") && !has(name, "=")) flag.values = completed(name);
  return flag;
}

CompletedCommand completed_command(const std::string& name, const std::string& about,
                                   const CommandSpec& spec) {
  CompletedCommand command{name, one_line(about), {}, completed(spec.operands), {}};
  for (const auto& option : spec.flags.options()) command.flags.push_back(completed_flag(*option));
  return command;
}

std::vector<CompletedCommand> completed_commands() {
  std::vector<CompletedCommand> list;
  for (const Command& command : commands()) {
    if (!command.run) continue;
    if (command.parts.empty()) {
      const auto spec = spec_of(command.run);
      if (spec) list.push_back(completed_command(command.name, command.purpose, *spec));
      continue;
    }
    list.push_back({command.name, one_line(command.purpose), {}, {}, command.parts});
    for (const std::string& part : command.parts) {
      const auto spec = spec_of([&](const auto&) { return command.run({part}); });
      if (spec) list.push_back(completed_command(command.name + " " + part, "", *spec));
    }
  }
  return list;
}

}  // namespace

int completion_command(const std::vector<std::string>& args) {
  const auto parsed = parse_command(completion_spec(), args);
  if (!parsed) return static_cast<int>(ExitCode::kReproduced);
  const std::string& shell = parsed->operands.front();
  if (shell != "bash" && shell != "zsh") {
    throw UsageError("completion: '" + one_line(shell) + "' is neither bash nor zsh");
  }
  const auto list = completed_commands();
  std::cout << (shell == "bash" ? bash_completion(list) : zsh_completion(list));
  return static_cast<int>(ExitCode::kReproduced);
}

}  // namespace twinrun::harness
