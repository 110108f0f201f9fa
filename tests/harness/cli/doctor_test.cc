#include "harness/cli/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "harness/cli/doctor_checks.h"
#include "harness/exit_code.h"
#include "tests/temp_folder.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using State = DoctorCheck::State;

/// A folder with a case on synthetic data and a script in the place of twinrun-train.
class Doctor : public ::testing::Test {
 protected:
  Doctor() {
    write("config.json", "{}");
    write("case.yaml",
          "schema: 1\nname: small\nmodel: {config: config.json, init: random, seed: 1}\n"
          "data: {synthetic: {samples: 8, length: 8, vocab_size: 16, seed: 1}}\n"
          "lora: {rank: 2, alpha: 4, target_modules: all-linear}\n"
          "train: {steps: 3, batch_size: 2, optimizer: {lr: 1.0e-3}}\n"
          "seed: 1\nnumerics: deterministic\nthreads: 1\n");
    trainer(R"(echo '{"checks":[{"name":"gpu","state":"ok","message":"none needed"}]}')");
  }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  void trainer(const std::string& script) const {
    write("trainer", "#!/bin/sh\n" + script + "\n");
    fs::permissions(folder_ / "trainer", fs::perms::owner_all);
  }
  ResolvedCase resolved(std::vector<std::string> overrides = {}) const {
    return resolve_case(folder_ / "case.yaml", {.overrides = std::move(overrides),
                                                .default_trainer = folder_ / "trainer"});
  }

  struct Answer {
    int code = -1;
    std::string out;
    json report() const { return json::parse(out); }
    /// State and message of the checks called `name`.
    std::string of(const std::string& name) const {
      std::string found;
      const json whole = report();
      for (const json& check : whole.at("checks")) {
        if (check.at("name") != name) continue;
        found += check.at("state").get<std::string>() + ": " +
                 check.at("message").get<std::string>() + "\n";
      }
      return found;
    }
  };
  Answer doctor(std::vector<std::string> args) const {
    args.insert(args.end(), {"--trainer", (folder_ / "trainer").string(), "--out",
                             (folder_ / "out" / "deep").string()});
    ::testing::internal::CaptureStdout();
    Answer answer;
    answer.code = doctor_command(args);
    answer.out = ::testing::internal::GetCapturedStdout();
    return answer;
  }
  std::string case_file() const { return (folder_ / "case.yaml").string(); }

  const test::TempFolder temp_;
  const fs::path folder_ = temp_.path();
};

TEST_F(Doctor, FindsAGoodCaseReady) {
  const Answer answer = doctor({case_file(), "--json"});
  EXPECT_EQ(answer.code, 0) << answer.out;
  EXPECT_THAT(answer.of("case"), HasSubstr("ok: small: deterministic, 3 steps, 2 runs"));
  EXPECT_EQ(answer.of("gpu"), "ok: none needed\n");
  EXPECT_THAT(answer.of("disk"), HasSubstr("free in " + folder_.string()));
  EXPECT_FALSE(fs::exists(folder_ / "out")) << "doctor changes nothing";
}

TEST_F(Doctor, TableHasOneLineACheckAndAConclusion) {
  trainer(
      R"(printf '%s' '{"checks":[{"name":"gpu","state":"warning","message":"a\u001b[31m\nb"}]}')");
  const Answer answer = doctor({case_file()});
  EXPECT_EQ(answer.code, 0);
  EXPECT_THAT(answer.out, HasSubstr("\nwarning  gpu      a\\x1b[31m b\n"));
  EXPECT_THAT(answer.out, HasSubstr("\nready, with 1 warning\n"));
}

TEST_F(Doctor, WorksWithoutACase) {
  const Answer answer = doctor({"--json"});
  EXPECT_EQ(answer.code, 0) << answer.out;
  EXPECT_EQ(answer.of("case"), "");
  EXPECT_EQ(answer.of("gpu"), "ok: none needed\n");
}

TEST_F(Doctor, CaseErrorIsAProblemAndTheRestIsStillChecked) {
  const Answer answer = doctor({case_file(), "--json", "--set", "lora.rnak=4"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.of("case"),
              AllOf(HasSubstr("problem: --set lora.rnak=4: "), HasSubstr("'rank'")));
  EXPECT_EQ(answer.of("gpu"), "ok: none needed\n");
  EXPECT_EQ(answer.report().at("state"), "problem");
}

TEST_F(Doctor, TrainerGetsTheResolvedConfiguration) {
  trainer("cp \"$2\" " + (folder_ / "seen.json").string() + "; echo \"$1 $3\" > " +
          (folder_ / "seen.args").string() + "; echo '{\"checks\":[]}'");
  EXPECT_EQ(doctor({case_file()}).code, 0);
  std::ifstream config(folder_ / "seen.json"), args(folder_ / "seen.args");
  EXPECT_EQ(json::parse(config).at("identity"), resolved().config.identity);
  std::string line;
  std::getline(args, line);
  EXPECT_EQ(line, "doctor --json");
}

TEST_F(Doctor, ProblemOfTheTrainerIsExitTwo) {
  trainer(R"(echo '{"checks":[{"name":"gpu","state":"problem","message":"none"}]}'; exit 2)");
  EXPECT_EQ(doctor({case_file()}).code, 2);
}

TEST_F(Doctor, TrainerThatReportsNothingUsableIsAFailedCheck) {
  for (const char* script :
       {"exit 0", "echo libtorch.so not found >&2; exit 127", "kill -SEGV $$", "echo '{}'",
        R"(echo '{"checks":[{"name":"gpu","state":"fine","message":"x"}]}')",
        R"(echo '{"checks":[{"name":1,"state":"ok","message":"x"}]}')", "echo '{\"checks\":['",
        R"(echo '{"checks":[],"numerics":{}}')", R"(echo '{"checks":[],"numerics":[1]}')",
        R"(echo '{"checks":[],"numerics":{"mode":"fast","device":"cpu","breaks":[],)"
        R"("not_promised":[],"set":[{"name":"a","value":{},"reason":"b"}]}}')"}) {
    trainer(script);
    const Answer answer = doctor({case_file(), "--json"});
    EXPECT_EQ(answer.code, 3) << script;
    EXPECT_THAT(answer.of("trainer"), HasSubstr("failed: ")) << script;
  }
  trainer("echo libtorch.so not found >&2; exit 127");
  EXPECT_THAT(doctor({"--json"}).of("trainer"),
              AllOf(HasSubstr("exit code 127"), HasSubstr("| libtorch.so not found")));
}

TEST_F(Doctor, TrainerThatCannotStartIsAProblem) {
  write("trainer", "#!/nosuch/interpreter\n");
  const Answer answer = doctor({"--json"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.of("trainer"), HasSubstr("cannot be started"));
}

TEST_F(Doctor, MissingTrainerIsAProblem) {
  const std::vector<DoctorCheck> checks = check_trainer("", std::nullopt).checks;
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_EQ(checks[0].state, State::kProblem);
  EXPECT_THAT(checks[0].message, HasSubstr("no twinrun-train"));
}

TEST_F(Doctor, ForeignTrainerIsNotAsked) {
  write("case.yaml",
        "schema: 1\nname: foreign\nseed: 1\nnumerics: deterministic\ntrain: {steps: 1}\n"
        "trainer: {command: [sh, -c, 'exit 9']}\n");
  const std::vector<DoctorCheck> checks = check_trainer(folder_ / "trainer", resolved()).checks;
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_EQ(checks[0].state, State::kOk);
}

/// What twinrun-train says of its mode; `breaks` is a JSON list.
std::string numerics_of(const std::string& breaks) {
  return R"(echo '{"checks":[],"numerics":{"mode":"deterministic","device":"cpu","set":[)"
         R"({"name":"deterministic_algorithms","value":true,"reason":"sums have one order"},)"
         R"({"name":"mkl_cbwr","value":"AUTO","reason":"one order of sums, said in so many words )"
         R"(that they do not fit into what is left of a line"}],"breaks":)" +
         breaks + R"(,"not_promised":["another GPU model","a \u001b[31m number of threads"]}}')";
}

TEST_F(Doctor, ListsWhatIsSetWhatBreaksAndWhatIsNotPromised) {
  trainer(numerics_of(R"([{"name":"MKL_CBWR","state":"ok","message":"recorded"}])"));
  const Answer answer = doctor({case_file()});
  EXPECT_EQ(answer.code, 0);
  EXPECT_THAT(
      answer.out,
      HasSubstr(
          "\n\nWhat `deterministic` sets on cpu, each value as its library reports it afterwards:\n"
          "  deterministic_algorithms  true  sums have one order\n"
          "  mkl_cbwr                  AUTO  one order of sums, said in so many words that they do "
          "not fit into\n"
          "                                  what is left of a line\n"
          "\nWhat would break its promise, of what is set or found here:\n"
          "  ok       MKL_CBWR  recorded\n"
          "\nWhat `deterministic` cannot promise here:\n"
          "  - another GPU model\n"
          "  - a \\x1b[31m number of threads\n\nready"));
}

TEST_F(Doctor, AVariableThatBreaksThePromiseMakesItNotReady) {
  trainer(
      numerics_of(R"([{"name":"OMP_DYNAMIC","state":"problem","message":"OMP_DYNAMIC=1 ..."}])"));
  const Answer answer = doctor({});
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.out, AllOf(HasSubstr("  problem  OMP_DYNAMIC  OMP_DYNAMIC=1 ...\n"),
                                HasSubstr("\nnot ready: 1 problem to fix\n")));
  trainer(numerics_of(R"([{"name":"OMP_DYNAMIC","state":"warning","message":"OMP_DYNAMIC=1"}])"));
  EXPECT_EQ(doctor({}).code, 0);
  trainer(numerics_of("[]"));
  EXPECT_THAT(doctor({}).out, HasSubstr("of what is set or found here:\n  nothing\n"));
}

TEST_F(Doctor, JsonHoldsWhatTheTrainerSaidOfItsMode) {
  trainer(numerics_of(R"([{"name":"OMP_DYNAMIC","state":"problem","message":"x"}])"));
  const json report = doctor({"--json"}).report();
  EXPECT_EQ(report.at("state"), "problem");
  const json& numerics = report.at("numerics");
  EXPECT_EQ(numerics.at("mode"), "deterministic");
  EXPECT_EQ(numerics.at("device"), "cpu");
  EXPECT_EQ(numerics.at("set").at(0), json::parse(R"({"name":"deterministic_algorithms",
            "value":true,"reason":"sums have one order"})"));
  EXPECT_EQ(numerics.at("breaks"),
            json::parse(R"([{"name":"OMP_DYNAMIC","state":"problem","message":"x"}])"));
  EXPECT_EQ(numerics.at("not_promised").size(), 2u);
  trainer(R"(echo '{"checks":[],"numerics":null}')");
  EXPECT_TRUE(doctor({"--json"}).report().at("numerics").is_null());
}

TEST_F(Doctor, NoLineIsLongerThanAHundredColumnsUnlessAPathIs) {
  std::string words;
  for (int i = 0; i < 60; ++i) words += "word ";
  trainer(numerics_of(R"([{"name":"X","state":"ok","message":")" + words + "\"}]"));
  std::istringstream lines(doctor({case_file()}).out);
  for (std::string line; std::getline(lines, line);) {
    if (line.find('/') == std::string::npos) {
      EXPECT_LE(line.size(), 100u) << line;
    }
  }
}

TEST_F(Doctor, MoreThreadsThanCpusIsAWarning) {
  EXPECT_EQ(check_cpu(resolved()).state, State::kOk);
  const DoctorCheck check = check_cpu(resolved({"threads=4096"}));
  EXPECT_EQ(check.state, State::kWarning);
  EXPECT_THAT(check.message, HasSubstr("4096 threads"));
}

TEST_F(Doctor, WeightsLargerThanTheMemoryAreAWarning) {
  fs::create_directory(folder_ / "model");
  write("model/model.safetensors", "");
  fs::resize_file(folder_ / "model/model.safetensors", std::uintmax_t{1} << 42);  // sparse
  ResolvedCase large = resolved();
  large.config.launch["paths"]["model"] = (folder_ / "model").string();
  EXPECT_EQ(check_memory(large).state, State::kWarning);
  EXPECT_THAT(check_memory(large).message, HasSubstr("4096.0 GiB"));
}

TEST_F(Doctor, FolderThatCannotBeWrittenIsAProblem) {
  EXPECT_EQ(check_disk("/proc/twinrun-out").state, State::kProblem);
}

TEST_F(Doctor, BadArgumentsAreUsageErrors) {
  EXPECT_THROW(doctor({"a.yaml", "b.yaml"}), UsageError);
  ::testing::internal::GetCapturedStdout();
  EXPECT_THROW(doctor({"--set", "seed=1"}), UsageError);
  ::testing::internal::GetCapturedStdout();
}

TEST_F(Doctor, HelpHasAnExample) {
  const Answer answer = doctor({"--help"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_THAT(answer.out, AllOf(HasSubstr("usage: twinrun doctor"), HasSubstr("example:")));
}

}  // namespace
}  // namespace twinrun::harness
