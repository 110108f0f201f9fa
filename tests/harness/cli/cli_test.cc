#include "harness/cli/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/cli/commands.h"
#include "harness/cli/options.h"
#include "harness/exit_code.h"
#include "tests/temp_folder.h"

namespace twinrun::harness {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string usage_error(const std::vector<std::string>& args) {
  return test::message_of<UsageError>([&] { run_command_line(args); });
}

std::string stdout_of(const std::vector<std::string>& args, int expected_code) {
  testing::internal::CaptureStdout();
  const int code = run_command_line(args);
  EXPECT_EQ(code, expected_code);
  return testing::internal::GetCapturedStdout();
}

TEST(CommandLine, AnUnknownCommandGetsTheNearestOne) {
  EXPECT_THAT(usage_error({"verfy"}), HasSubstr("no command 'verfy'; did you mean 'verify'?"));
  EXPECT_THAT(usage_error({"xyzzy"}), HasSubstr("twinrun --help"));
}

TEST(CommandLine, NoCommandIsAnError) { EXPECT_THAT(usage_error({}), HasSubstr("no command")); }

TEST(CommandLine, WhatIsNotBuiltYetSaysSo) {
  for (const char* name : {"split"}) {
    EXPECT_THAT(usage_error({name}), HasSubstr("not built yet")) << name;
  }
}

TEST(CommandLine, HelpOfEveryCommandEndsInAnExample) {
  EXPECT_THAT(stdout_of({"--help"}, 0), HasSubstr("example:\n  twinrun verify"));
  for (const Command& command : commands()) {
    if (!command.run) continue;
    std::vector<std::vector<std::string>> calls = {{command.name}};
    for (const std::string& part : command.parts) calls.push_back({command.name, part});
    for (std::vector<std::string> words : calls) {
      const std::string name = words.front() + (words.size() > 1 ? " " + words.back() : "");
      words.push_back("--help");
      const std::string help = stdout_of(words, 0);
      const std::size_t example = help.find("\nexample:\n  ");
      ASSERT_NE(example, std::string::npos) << name;
      EXPECT_THAT(help.substr(example), HasSubstr("twinrun " + name)) << name;
      EXPECT_EQ(help.find("\n\n", example + 1), std::string::npos) << name << " goes on behind it";
    }
  }
}

// Completion is made of these, so a command that hid its flags would not be completed.
TEST(CommandLine, EveryCommandTellsWhatItTakes) {
  int told = 0;
  for (const Command& command : commands()) {
    if (!command.run || !command.parts.empty()) continue;
    const auto spec = spec_of(command.run);
    ASSERT_TRUE(spec) << command.name << " looks at its arguments before parse_command does";
    EXPECT_EQ(spec->name, command.name);
    ++told;
  }
  EXPECT_GE(told, 5);
  EXPECT_EQ(baseline_parts().size(), 5u);
  EXPECT_EQ(spec_of([](const auto&) { return baseline_command({"prune"}); })->name,
            "baseline prune");
  EXPECT_FALSE(spec_of([](const auto&) { return 0; }));
}

TEST(CommandLine, VersionNamesTheCommit) {
  EXPECT_THAT(stdout_of({"--version"}, 0), StartsWith("twinrun 0."));
  EXPECT_THAT(stdout_of({"--version"}, 0), HasSubstr("(commit "));
}

TEST(CommandLine, AnUnknownFlagGetsTheNearestOne) {
  EXPECT_THAT(usage_error({"verify", "case.yaml", "--injct", "b:lr@3"}),
              StartsWith("verify: unknown flag '--injct'; did you mean '--inject'?"));
}

// main() puts the program's name before each.
TEST(CommandLine, MessagesOfACommandBeginWithItsName) {
  for (const Command& command : commands()) {
    if (!command.run) continue;
    std::vector<std::string> args = {command.name};
    if (!command.parts.empty()) args.push_back(command.parts.front());
    args.push_back("--no-such-flag");
    const std::string name = command.parts.empty() ? args[0] : args[0] + " " + args[1];
    EXPECT_THAT(usage_error(args), StartsWith(name + ": ")) << name;
  }
  const std::vector<std::vector<std::string>> wrong = {
      {"baseline"},
      {"baseline", "prone"},
      {"bundle"},
      {"verify", "a.yaml", "b.yaml"},
      {"train", "case.yaml"},
      {"infer-check", "run"},
      {"doctor", "--set", "seed=1"},
      {"init", "/nonexistent"},
      {"completion", "fish"},
  };
  for (const auto& args : wrong) EXPECT_THAT(usage_error(args), StartsWith(args[0] + ": "));
}

TEST(CommandLine, FlagsAreNotGuessedFromAbbreviations) {
  EXPECT_THAT(usage_error({"verify", "case.yaml", "--quie"}), HasSubstr("unknown flag '--quie'"));
}

TEST(CommandLine, AFlagTwiceOrWithoutValueIsAnError) {
  EXPECT_THAT(usage_error({"verify", "case.yaml", "--out", "a", "--out", "b"}), HasSubstr("--out"));
  EXPECT_THAT(usage_error({"verify", "case.yaml", "--out"}), HasSubstr("--out"));
}

TEST(CommandLine, OperandsAreCounted) {
  EXPECT_THAT(usage_error({"verify"}), HasSubstr("CASE.yaml is missing"));
  EXPECT_THAT(usage_error({"verify", "a.yaml", "b.yaml"}), HasSubstr("2 operands were given"));
  EXPECT_THAT(usage_error({"compare", "a"}), HasSubstr("RUN_A RUN_B [...] is missing"));
  EXPECT_THAT(usage_error({"train", "case.yaml"}), HasSubstr("--run-dir DIR is missing"));
}

TEST(CompareCommand, RefusesWhatIsNoRunFolder) {
  const test::TempFolder folder;
  const std::string here = folder.path().string();
  EXPECT_THAT(usage_error({"compare", here + "/none", here}), HasSubstr("none' is no folder"));
  EXPECT_THAT(usage_error({"compare", here, here}), HasSubstr("is not a run folder"));
}

}  // namespace
}  // namespace twinrun::harness
