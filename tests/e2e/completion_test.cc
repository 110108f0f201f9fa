// `twinrun completion` in the shells themselves, and commands that find their case.

#include <gmock/gmock.h>

#include <cctype>

#include "tests/e2e/toy_case.h"

namespace twinrun {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;
using testing::UnorderedElementsAre;

class Completion : public ToyCase {
 protected:
  /// What bash offers behind the words of `line`, the last of which is begun.
  std::vector<std::string> bash(const std::string& line) const {
    ProcessOptions options = command({});
    options.command = {"/bin/bash", "--norc", "-c",
                       "source <(" TWINRUN_BIN_DIR
                       "/twinrun completion bash)\n"
                       "COMP_WORDS=(twinrun " +
                           line +
                           "); COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))\n"
                           "_twinrun\nprintf '%s\\n' \"${COMPREPLY[@]}\""};
    const ProcessResult result = run_process(options);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    std::istringstream text(result.out);
    std::vector<std::string> offered;
    for (std::string word; std::getline(text, word);) {
      if (!word.empty()) offered.push_back(word);
    }
    return offered;
  }
  /// Every command that `twinrun --help` names, those that have parts by part: baseline show.
  std::vector<std::string> commands() const {
    std::vector<std::string> all;
    for (const std::string& name : listed(twinrun({"--help"}).out)) {
      const std::string help = twinrun({name, "--help"}).out;
      const bool parts = help.starts_with("usage: twinrun " + name + " COMMAND");
      if (!parts) all.push_back(name);
      for (const std::string& part : parts ? listed(help) : std::vector<std::string>()) {
        all.push_back(name + " " + part);
      }
    }
    return all;
  }
  /// The words at the left of a help's list of commands.
  static std::vector<std::string> listed(const std::string& help) {
    std::istringstream text(help.substr(0, help.find("\n`twinrun")));
    std::vector<std::string> words;
    for (std::string line; std::getline(text, line);) {
      if (!line.starts_with("  ") || std::islower(line[2]) == 0) continue;
      words.push_back(line.substr(2, line.find(' ', 2) - 2));
    }
    return words;
  }
  void SetUp() override {
    fs::create_directories(path("folder of mine"));
    write("notes.txt", "");
  }
};

TEST_F(Completion, OffersCommandsAndPartsOfCommands) {
  EXPECT_THAT(bash("ver"), ElementsAre("verify"));
  EXPECT_THAT(bash("baseline re"), UnorderedElementsAre("review", "reject"));
  EXPECT_THAT(bash("completion ''"), UnorderedElementsAre("bash", "zsh"));
}

// From the help of each command: whatever it lists is offered.
TEST_F(Completion, OffersEveryFlagThatTheHelpHas) {
  const std::vector<std::string> all = commands();
  EXPECT_THAT(all, IsSupersetOf({"verify", "bench", "infer-check", "baseline prune"}));
  for (const std::string& name : all) {
    std::vector<std::string> args;
    std::istringstream words(name + " --help");
    for (std::string word; words >> word;) args.push_back(word);
    const std::string help = twinrun(args).out;
    const std::string flags = help.substr(help.find("\nflags:"));
    const auto offered = bash(name + " --");
    std::istringstream lines(flags.substr(0, flags.find("\n\n")));
    std::size_t listed = 0;
    for (std::string line; std::getline(lines, line);) {
      const std::size_t at = line.find("--");
      if (at == std::string::npos || at > 9) continue;
      const std::string flag = line.substr(at, line.find_first_of(" \t", at) - at);
      EXPECT_THAT(offered, testing::Contains(flag)) << name;
      ++listed;
    }
    EXPECT_EQ(offered.size(), listed) << name;
    EXPECT_GE(listed, 1u) << name;
  }
}

TEST_F(Completion, OffersWhatAFlagTakes) {
  EXPECT_THAT(bash("verify case.yaml --on-missing-baseline ''"), ElementsAre("warn", "fail"));
  EXPECT_THAT(bash("verify case.yaml --out f"), ElementsAre("folder of mine"));
  EXPECT_THAT(bash("verify case.yaml --out n"), ElementsAre());
  EXPECT_THAT(bash("verify case.yaml --baseline = f"), ElementsAre("folder of mine"));
  EXPECT_THAT(bash("verify case.yaml --baseline --q"), ElementsAre("--quiet"));
  EXPECT_THAT(bash("verify case.yaml --runs ''"), ElementsAre());
  EXPECT_THAT(bash("verify case.yaml --trainer no"), ElementsAre("notes.txt"));
  EXPECT_THAT(bash("verify ''"), UnorderedElementsAre("case.yaml", "folder of mine"));
}

TEST_F(Completion, AShellThatIsNotKnownIsAUsageError) {
  EXPECT_EQ(twinrun({"completion"}).exit_code, 2);
  EXPECT_THAT(twinrun({"completion", "fish"}).err, HasSubstr("'fish' is neither bash nor zsh"));
}

#ifdef TWINRUN_ZSH
// zsh completes in a terminal only, so its own functions are replaced by ones that tell what they
// were given.
TEST_F(Completion, ZshGetsItsArgumentsWhole) {
  ProcessOptions options = command({});
  options.command = {TWINRUN_ZSH, "-f", "-c",
                     "_arguments() { print -rl -- \"$@\" }\n"
                     "_describe() { print -rl -- ${(P)2} }\n"
                     "compadd() { print -rl -- ${(P)argv[-1]} }\n"
                     "words=(twinrun ''); CURRENT=2\n"
                     "source <(" TWINRUN_BIN_DIR
                     "/twinrun completion zsh)\n"
                     "words=(twinrun baseline ''); CURRENT=3; _twinrun\n"
                     "words=(twinrun verify ''); CURRENT=3; _twinrun\n"
                     "words=(twinrun baseline accept ''); CURRENT=4; _twinrun\n"};
  const ProcessResult result = run_process(options);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, HasSubstr("\ntrain:one run\\: resolve the case"));
  EXPECT_THAT(result.out, HasSubstr("\nreview\naccept\n"));
  EXPECT_THAT(result.out, HasSubstr("\n*--out=[output folder, new or empty (default\\: "
                                    "twinrun-out/NAME-TIME)]:DIR:_files -/\n"));
  EXPECT_THAT(result.out, HasSubstr(":warn|fail:(warn fail)\n"));
  EXPECT_THAT(result.out, HasSubstr("\n*--why=[the reason"));
  EXPECT_THAT(result.out, HasSubstr("\n*:operand:_files -g \"*.(yaml|yml)\"\n"));
}
#endif

class FindsItsCase : public ToyCase {
 protected:
  ProcessResult bare() const { return twinrun({"verify", "--out", "out", "--quiet"}); }
};

TEST_F(FindsItsCase, TwinrunYamlFirst) {
  fs::create_directories(path("baselines/one"));
  write("baselines/one/case.yaml", "schema: 1\nnonsense: true\n");
  fs::rename(path("case.yaml"), path("twinrun.yaml"));
  EXPECT_EQ(bare().exit_code, 0);
}

TEST_F(FindsItsCase, ElseTheOneOfBaselines) {
  fs::create_directories(path("baselines/one"));
  fs::create_directories(path("baselines/no-case"));
  fs::rename(path("case.yaml"), path("baselines/one/case.yaml"));
  const ProcessResult result = twinrun({"verify", "--out", "out", "--quiet", "--baseline"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(fs::exists(path("baselines/one/curves")));
  EXPECT_EQ(twinrun({"baseline", "review"}).exit_code, 0);
}

TEST_F(FindsItsCase, NoneOrSeveralAreAUsageError) {
  const ProcessResult none = bare();
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("CASE.yaml is missing, and here is neither twinrun.yaml"));
  for (const char* name : {"one", "two"}) {
    fs::create_directories(path("baselines") / name);
    fs::copy_file(path("case.yaml"), path("baselines") / name / "case.yaml");
  }
  const ProcessResult several = bare();
  EXPECT_EQ(several.exit_code, 2);
  EXPECT_THAT(several.err, AllOf(HasSubstr("here are 2: baselines/one/case.yaml and "
                                           "baselines/two/case.yaml; name one"),
                                 Not(HasSubstr("internal"))));
  EXPECT_FALSE(fs::exists(path("out")));
}

}  // namespace
}  // namespace twinrun
