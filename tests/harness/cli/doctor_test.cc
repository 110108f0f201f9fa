#include "harness/cli/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
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
    for (const char* name : {"CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE", "MKL_CBWR",
                             "NCCL_ALGO", "OMP_NUM_THREADS", "MKL_NUM_THREADS"}) {
      unsetenv(name);
    }
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
  EXPECT_EQ(answer.of("environment"), "ok: no variable is set that changes numerics\n");
  EXPECT_THAT(answer.of("disk"), HasSubstr("free in " + folder_.string()));
  EXPECT_FALSE(fs::exists(folder_ / "out")) << "doctor changes nothing";
}

TEST_F(Doctor, TableHasOneLineACheckAndAConclusion) {
  trainer(
      R"(printf '%s' '{"checks":[{"name":"gpu","state":"warning","message":"a\u001b[31m\nb"}]}')");
  const Answer answer = doctor({case_file()});
  EXPECT_EQ(answer.code, 0);
  EXPECT_THAT(answer.out, HasSubstr("\nwarning  gpu          a\\x1b[31m b\n"));
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
        R"(echo '{"checks":[{"name":1,"state":"ok","message":"x"}]}')", "echo '{\"checks\":['"}) {
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
  const std::vector<DoctorCheck> checks = check_trainer("", std::nullopt);
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_EQ(checks[0].state, State::kProblem);
  EXPECT_THAT(checks[0].message, HasSubstr("no twinrun-train"));
}

TEST_F(Doctor, ForeignTrainerIsNotAsked) {
  write("case.yaml",
        "schema: 1\nname: foreign\nseed: 1\nnumerics: deterministic\ntrain: {steps: 1}\n"
        "trainer: {command: [sh, -c, 'exit 9']}\n");
  const std::vector<DoctorCheck> checks = check_trainer(folder_ / "trainer", resolved());
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_EQ(checks[0].state, State::kOk);
}

TEST_F(Doctor, VariablesThatBreakDeterminismAreProblemsUnlessFast) {
  const std::map<std::string, std::string> bad = {{"CUBLAS_WORKSPACE_CONFIG", ":0:0"},
                                                  {"NVIDIA_TF32_OVERRIDE", "1"},
                                                  {"TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "1"}};
  for (const auto& [name, value] : bad) {
    const Environment environment = [&, &set = name, &to = value](const std::string& asked) {
      return asked == set ? std::optional<std::string>(to) : std::nullopt;
    };
    const auto strict = check_environment(environment, resolved());
    ASSERT_EQ(strict.size(), 1u) << name;
    EXPECT_EQ(strict[0].state, State::kProblem) << name;
    EXPECT_THAT(strict[0].message, HasSubstr(name + "=" + value));
    EXPECT_EQ(check_environment(environment, resolved({"numerics=fast"}))[0].state,
              State::kWarning);
    EXPECT_EQ(check_environment(environment, std::nullopt)[0].state, State::kWarning);
  }
}

TEST_F(Doctor, OtherVariablesAreWarnings) {
  const auto state_with = [&](const std::string& name, const std::string& value) {
    const Environment environment = [&](const std::string& asked) {
      return asked == name ? std::optional<std::string>(value) : std::nullopt;
    };
    return check_environment(environment, resolved()).at(0).state;
  };
  EXPECT_EQ(state_with("OMP_NUM_THREADS", "7"), State::kWarning);
  EXPECT_EQ(state_with("OMP_NUM_THREADS", "1"), State::kOk) << "the case's threads";
  EXPECT_EQ(state_with("MKL_CBWR", "AUTO"), State::kWarning);
  EXPECT_EQ(state_with("MKL_CBWR", "AVX2,STRICT"), State::kOk);
  EXPECT_EQ(state_with("NCCL_ALGO", "Ring"), State::kWarning);
  EXPECT_EQ(state_with("CUDA_LAUNCH_BLOCKING", "1"), State::kWarning);
  EXPECT_EQ(state_with("CUBLAS_WORKSPACE_CONFIG", ":4096:8"), State::kOk);
  EXPECT_EQ(state_with("CUBLAS_WORKSPACE_CONFIG", ":16:8"), State::kOk);
  EXPECT_EQ(state_with("NVIDIA_TF32_OVERRIDE", "0"), State::kOk);
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
