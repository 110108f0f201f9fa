// The faults of docs/faults.md that the toy trainer knows, planted in the first run, in the second and in all of them.

#include <gmock/gmock.h>
#include <signal.h>

#include <map>

#include "tests/e2e/toy_case.h"

namespace twinrun {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

/// What `verify` has to come to.
struct Expected {
  std::string verdict;
  std::string reason;  ///< of the check that decided; empty: not pinned
  int step = -1;       ///< of the first divergence; -1: none
  std::string field;
};

struct Fault {
  std::string text;  ///< KIND@STEP
  Expected one, both;
};

int exit_code(const std::string& verdict) {
  return verdict == "REPRODUCED" ? 0 : verdict == "NOT_REPRODUCED" ? 1 : 3;
}

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.text; }

const Expected kGreen = {"REPRODUCED", "", -1, ""};

const Fault kFaults[] = {
    {"seed@0", {"NOT_REPRODUCED", "", 0, "adapter"}, {"INVALID", "", -1, ""}},
    {"data-order@3", {"NOT_REPRODUCED", "", 3, "samples"}, kGreen},
    {"skip-batch@3", {"NOT_REPRODUCED", "", 3, "samples"}, kGreen},
    {"dropout-unseeded@3", {"NOT_REPRODUCED", "", 3, "loss"}, {"NOT_REPRODUCED", "", 3, "loss"}},
    {"lr@3", {"NOT_REPRODUCED", "", 3, "lr"}, kGreen},
    {"loss-ulp@3", {"NOT_REPRODUCED", "", 3, "loss"}, kGreen},
    {"grad-ulp@3", {"NOT_REPRODUCED", "", 3, "grad"}, kGreen},
    {"adapter-ulp@3", {"NOT_REPRODUCED", "", 3, "adapter"}, kGreen},
    {"base-bit@3", {"NOT_REPRODUCED", "", 6, "base"}, {"INVALID", "control_failed", -1, ""}},
    {"nan@3", {"NOT_REPRODUCED", "", 3, "loss"}, {"INVALID", "non_finite", -1, ""}},
    {"drop-line@3", {"INVALID", "missing_step", -1, ""}, {"INVALID", "missing_step", -1, ""}},
    {"truncate@3", {"INVALID", "incomplete", -1, ""}, {"INVALID", "incomplete", -1, ""}},
    {"constant@1", {"NOT_REPRODUCED", "", 0, "adapter"}, {"INVALID", "control_failed", -1, ""}},
    {"crash@3", {"INVALID", "trainer_killed", -1, ""}, {"INVALID", "trainer_killed", -1, ""}},
    {"hang@3", {"INVALID", "timed_out", -1, ""}, {"INVALID", "timed_out", -1, ""}},
    {"stderr-commands@3", kGreen, kGreen},
};

class FaultTest : public ToyCase, public testing::WithParamInterface<Fault> {
 protected:
  void expect(const std::string& run, const Expected& expected) const {
    std::vector<std::string> args = {"--inject", run + ":" + GetParam().text};
    if (GetParam().text == "hang@3")
      args.insert(args.end(), {"--set", "verify.step_timeout_s=1.5"});
    const ProcessResult result = verify(args);
    ASSERT_EQ(result.exit_code, exit_code(expected.verdict)) << result.out << result.err;
    const json verdict = this->verdict();
    EXPECT_EQ(verdict.at("verdict"), expected.verdict) << result.out;
    EXPECT_EQ(verdict.at("exit_code"), exit_code(expected.verdict));
    const json& first = verdict.at("comparisons").at(0).at("first");
    if (expected.step < 0) {
      EXPECT_TRUE(first.is_null()) << first;
    } else {
      ASSERT_TRUE(first.is_object()) << result.out;
      EXPECT_EQ(first.at("step"), expected.step);
      EXPECT_EQ(first.at("field"), expected.field);
    }
    if (!expected.reason.empty()) {
      EXPECT_EQ(deciding_reason(verdict), expected.reason);
    }
    expect_quiet(result);
    expect_mark_is_stated(verdict, run);
  }

  static std::string deciding_reason(const json& verdict) {
    for (const json& check : verdict.at("checks")) {
      if (check.at("verdict") == verdict.at("verdict")) return check.at("reason");
    }
    return "";
  }

  /// Nothing of ours may be a workflow command of a CI system.
  static void expect_quiet(const ProcessResult& result) {
    EXPECT_THAT("\n" + result.out, Not(HasSubstr("\n::")));
    EXPECT_THAT("\n" + result.err, Not(HasSubstr("\n::")));
  }

  void expect_mark_is_stated(const json& verdict, const std::string& run) const {
    for (const json& entry : verdict.at("runs")) {
      const bool hit = run == "both" || entry.at("name") == run;
      EXPECT_EQ(entry.at("injected"), hit ? json::array({GetParam().text}) : json::array());
    }
  }
};

TEST_P(FaultTest, InTheFirstRun) { expect("a", GetParam().one); }
TEST_P(FaultTest, InTheSecondRun) { expect("b", GetParam().one); }
TEST_P(FaultTest, InEveryRun) { expect("both", GetParam().both); }

// The same records, judged again with launch.inject taken out of config.json.
TEST_P(FaultTest, TheVerdictDoesNotHangOnTheMark) {
  if (GetParam().text == "hang@3") {
    verify({"--inject", "b:hang@3", "--set", "verify.step_timeout_s=1.5"});
  } else {
    verify({"--inject", "b:" + GetParam().text});
  }
  const json before = verdict();
  json config = read_json("out/b/config.json");
  ASSERT_EQ(config.at("launch").at("inject"), json::array({GetParam().text}));
  const ProcessResult marked = twinrun({"compare", "out/a", "out/b", "--json"});
  config["launch"]["inject"] = json::array();
  write("out/b/config.json", config.dump() + "\n");
  const ProcessResult stripped = twinrun({"compare", "out/a", "out/b", "--json"});
  EXPECT_EQ(stripped.exit_code, before.at("exit_code"));
  const json after = json::parse(stripped.out);
  EXPECT_EQ(after.at("verdict"), before.at("verdict"));
  EXPECT_EQ(after.at("comparisons"), json::parse(marked.out).at("comparisons"));
  EXPECT_EQ(after.at("comparisons").at(0).at("first"), before.at("comparisons").at(0).at("first"));
  EXPECT_EQ(after.at("runs").at(1).at("injected"), json::array());
}

std::string test_name(const testing::TestParamInfo<Fault>& info) {
  std::string name;
  for (const char c : info.param.text.substr(0, info.param.text.find('@'))) {
    if (c != '-') name += c;
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultTest, testing::ValuesIn(kFaults), test_name);

using FaultDetails = ToyCase;

TEST_F(FaultDetails, AnUlpOfTheLossIsOneUlpAndNothingElse) {
  verify({"--inject", "b:loss-ulp@4"});
  const json first = verdict().at("comparisons").at(0).at("first");
  EXPECT_EQ(first.at("ulps"), 1);
  EXPECT_EQ(first.at("other_fields"), json::array());
}

TEST_F(FaultDetails, AnUlpOfTheAdapterNamesItsTensor) {
  const ProcessResult result = verify({"--inject", "b:adapter-ulp@4"});
  const json first = verdict().at("comparisons").at(0).at("first");
  EXPECT_EQ(first.at("tensors_differing"), 1);
  ASSERT_EQ(first.at("tensors").size(), 1u);
  EXPECT_THAT(first.at("tensors").at(0).get<std::string>(), HasSubstr("q_proj.lora_A.weight"));
  EXPECT_THAT(result.out, HasSubstr("q_proj.lora_A.weight"));
}

TEST_F(FaultDetails, CommandsOfACiSystemStayInTheLogs) {
  verify({"--inject", "both:stderr-commands@2"});
  EXPECT_THAT(read("out/a/stderr.log"), HasSubstr("::error::x"));
  EXPECT_THAT(read("out/a/stdout.log"), HasSubstr("::add-mask::"));
}

TEST_F(FaultDetails, BothHitsTheControlsToo) {
  verify({"--inject", "both:loss-ulp@2"});
  EXPECT_EQ(read_json("out/controls/seed-plus-one/config.json").at("launch").at("inject"),
            json::array({"loss-ulp@2"}));
  EXPECT_EQ(verdict().at("control_runs").at(0).at("injected"), json::array({"loss-ulp@2"}));
}

TEST_F(FaultDetails, ACrashIsToldWithItsSignalAndTheLastStep) {
  const ProcessResult result = verify({"--inject", "b:crash@3"});
  const json run = verdict().at("runs").at(1);
  EXPECT_EQ(run.at("outcome"), "killed by SIGKILL");
  EXPECT_EQ(run.at("steps"), 2);
  EXPECT_EQ(run.at("status"), "running");
  EXPECT_THAT(result.out, HasSubstr("killed by SIGKILL"));
}

TEST_F(FaultDetails, AStepAtWhichItCannotHappenIsAUsageErrorOfTheTrainer) {
  const ProcessResult result = verify({"--inject", "b:lr@0"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("run b, the trainer says: lr cannot be planted at step 0"));
}

TEST_F(FaultDetails, AStepBeyondTheRunIsAUsageError) {
  const ProcessResult result = verify({"--inject", "b:lr@7"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("6 steps only"));
  EXPECT_FALSE(std::filesystem::exists(path("out")));
}

}  // namespace
}  // namespace twinrun
