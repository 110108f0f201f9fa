// `twinrun bench` on a trainer whose clock is scripted: every rule, quickly.

#include <gmock/gmock.h>
#include <signal.h>

#include <cmath>

#include "tests/e2e/toy_case.h"

namespace twinrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Bench : public ToyCase {
 protected:
  /// `script` is trainer.params.bench.
  void script(const std::string& flow_mapping) const { params("{bench: " + flow_mapping + "}"); }

  ProcessResult bench(const std::vector<std::string>& args = {}) const {
    std::vector<std::string> all = {"bench", "case.yaml", "--out", "out", "--quiet"};
    all.insert(all.end(), args.begin(), args.end());
    return twinrun(all);
  }

  json report() const { return read_json("out/bench.json"); }

  static json comparison(const json& report, const std::string& name) {
    for (const json& entry : report.at("comparisons")) {
      if (entry.at("name") == name) return entry;
    }
    throw std::logic_error("no comparison " + name);
  }

  /// Benches and expects exit code 3 with `verdict` for `reason`.
  void expect_no_verdict(const std::string& verdict, const std::string& reason,
                         const std::vector<std::string>& args = {}) const {
    const ProcessResult result = bench(args);
    EXPECT_EQ(result.exit_code, 3) << result.out << result.err;
    EXPECT_THAT(result.out, StartsWith(verdict + "  toy\n"));
    const json report = this->report();
    EXPECT_EQ(report.at("verdict"), verdict);
    std::string reasons;
    for (const json& check : report.at("checks")) {
      reasons += check.at("reason").get<std::string>() + " ";
    }
    EXPECT_THAT(reasons, HasSubstr(reason));
  }
};

TEST_F(Bench, ARatioBelowTheBudgetIsWithin) {
  script("{ratio: {deterministic: 1.02}, drift: 0.0002}");
  const ProcessResult result = bench();
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, StartsWith("WITHIN_BUDGET  toy\n"));
  const json report = this->report();
  EXPECT_EQ(report.at("verdict"), "WITHIN_BUDGET");
  const json ratio = comparison(report, "deterministic / fast");
  EXPECT_LE(std::abs(ratio.at("ratio").get<double>() - 1.02), 0.004);
  EXPECT_LE(ratio.at("low").get<double>(), 1.02);
  EXPECT_GE(ratio.at("high").get<double>(), 1.02);
  EXPECT_GE(ratio.at("blocks"), 8);
  const json again = comparison(report, "fast / fast");
  EXPECT_LE(again.at("low").get<double>(), 1);
  EXPECT_GE(again.at("high").get<double>(), 1);
  EXPECT_GT(comparison(report, "fast + 3 % delay").at("low"), 1.02);
}

TEST_F(Bench, ARatioAboveTheBudgetIsExceeded) {
  script("{ratio: {deterministic: 1.1}}");
  const ProcessResult result = bench();
  EXPECT_EQ(result.exit_code, 1) << result.out << result.err;
  EXPECT_EQ(report().at("verdict"), "SLOWDOWN_EXCEEDED");
  EXPECT_THAT(result.out, HasSubstr("above the budget of 1.05"));
}

TEST_F(Bench, TheBudgetIsWhatTheCallerSays) {
  script("{ratio: {deterministic: 1.1}}");
  EXPECT_EQ(bench({"--budget", "1.2"}).exit_code, 0);
}

TEST_F(Bench, ABudgetInsideTheIntervalDecidesNothing) {
  script("{ratio: {deterministic: 1.05}, noise: 0.02}");
  expect_no_verdict("INCONCLUSIVE", "budget_inside_interval");
}

TEST_F(Bench, TwoProcessesOfOneArmThatDifferAreInvalidWhateverTheRatio) {
  script("{ratio: {deterministic: 1.5}, arms: {fast-again: {factor: 1.02}}}");
  expect_no_verdict("INVALID", "same_again_differs");
  EXPECT_EQ(read_json("out/github-action-benchmark.json"), json::array());
}

TEST_F(Bench, ASmallDifferenceOfTheTwoWidensEveryInterval) {
  script("{ratio: {deterministic: 1.02}, arms: {fast-again: {factor: 1.004}}, noise: 0.0005}");
  EXPECT_EQ(bench().exit_code, 0);
  const json report = this->report();
  EXPECT_GE(report.at("widened"), 0.003);
  EXPECT_GE(comparison(report, "deterministic / fast").at("half_width"), 0.008);
}

TEST_F(Bench, ADelayThatIsNotSeenIsInvalid) {
  script("{arms: {fast-delayed: {delay_ignored: true}}}");
  expect_no_verdict("INVALID", "delay_not_seen");
}

TEST_F(Bench, ADelayThatIsSeenTwiceAsLargeIsInvalid) {
  script("{arms: {fast-delayed: {factor: 1.03}}}");
  expect_no_verdict("INVALID", "delay_not_seen");
}

struct Fault {
  const char *name, *arm, *reason;
};

class FaultyArm : public Bench, public testing::WithParamInterface<Fault> {};

TEST_P(FaultyArm, IsInvalidAndNamed) {
  const Fault fault = GetParam();
  for (const char* arm : {"deterministic", "fast"}) {
    script("{arms: {" + std::string(arm) + ": {" + fault.arm + "}}}");
    fs::remove_all(path("out"));
    expect_no_verdict("INVALID", fault.reason);
    std::string messages;
    const json report = this->report();
    for (const json& entry : report.at("comparisons")) {
      messages += entry.at("message").get<std::string>();
    }
    EXPECT_THAT(messages, StartsWith("arm " + std::string(arm)));
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultyArm,
                         testing::Values(Fault{"Dies", "die_at: 3", "trainer_killed"},
                                         Fault{"Fails", "exit_at: 3", "trainer_failed"},
                                         Fault{"NeverReady", "refuse: 3", "trainer_failed"},
                                         Fault{"Garbage", "garbage_at: 2", "malformed"},
                                         Fault{"FewerSteps", "fewer_at: 2", "malformed"},
                                         Fault{"NanTime", "nan_at: 2", "malformed"},
                                         Fault{"NegativeTime", "negative_at: 2", "malformed"},
                                         Fault{"NoTime", "zero_at: 2", "malformed"},
                                         Fault{"NonFiniteLoss", "non_finite_at: 2", "non_finite"},
                                         Fault{"OtherSwitches", "read_back: {x: true}",
                                               "not_as_asked"},
                                         Fault{"OtherMode", "numerics: portable", "not_as_asked"}),
                         [](const auto& fault) { return fault.param.name; });

TEST_F(Bench, AnArmThatHangsIsEndedAndInvalid) {
  script("{arms: {deterministic: {hang_at: 2}}}");
  expect_no_verdict("INVALID", "timed_out", {"--set", "verify.step_timeout_s=8"});
}

TEST_F(Bench, ADelayThatTheTrainerDeniesIsInvalid) {
  script("{arms: {fast-delayed: {delay_denied: true}}}");
  expect_no_verdict("INVALID", "not_as_asked");
}

TEST_F(Bench, AnArmThatTheCallerCanMendIsAUsageError) {
  script("{arms: {deterministic: {refuse: 2}}}");
  const ProcessResult result = bench();
  EXPECT_EQ(result.exit_code, 2) << result.out << result.err;
  EXPECT_THAT(result.err, HasSubstr("this arm cannot run here"));
}

class ExcludedWindows : public Bench, public testing::WithParamInterface<Fault> {};

TEST_P(ExcludedWindows, AreCountedAndTooManyAreInconclusive) {
  // In the first two windows of each process, so in one of its four blocks.
  script(std::string("{arms: {deterministic: {window_until: 2, window: {") + GetParam().arm +
         "}}}}");
  expect_no_verdict("INCONCLUSIVE", "blocks_excluded");
  const json excluded = comparison(report(), "deterministic / fast").at("excluded");
  EXPECT_GT(excluded.at(GetParam().reason), 0) << excluded;
}

TEST_F(Bench, WithoutABlockThatCountsItSaysSoAndNotThatThereWasNoTime) {
  script("{arms: {deterministic: {window: {other_processes: 2}}}}");
  const ProcessResult result = bench();
  EXPECT_EQ(result.exit_code, 3) << result.out << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("not measured: no block counts"),
                                Not(HasSubstr("no time was left"))));
}

INSTANTIATE_TEST_SUITE_P(
    Rules, ExcludedWindows,
    testing::Values(Fault{"Throttled", "throttle: [sw_power_cap, hw_thermal]", "throttled"},
                    Fault{"UnknownThrottle", "throttle: [bit_40]", "throttled"},
                    Fault{"SlowClock", "sm_mhz: 1200, sm_mhz_max: 1980", "slow_clock"},
                    Fault{"ForeignProcess", "other_processes: 2", "foreign_process"},
                    Fault{"ClocksDiffer", "device_ns: 700000000", "clocks_differ"}),
    [](const auto& rule) { return rule.param.name; });

TEST_F(Bench, APowerCapAndOurOwnSecondProcessAreNoReasonToExclude) {
  script(
      "{arms: {all: {window: {throttle: [sw_power_cap, gpu_idle], sm_mhz: 1700, sm_mhz_max: "
      "1980, other_processes: 1}}}}");
  EXPECT_EQ(bench().exit_code, 0);
  EXPECT_EQ(comparison(report(), "deterministic / fast").at("excluded"), json::object());
  EXPECT_EQ(report().at("windows").at("sm_mhz").at("min"), 1700);
}

TEST_F(Bench, WithoutTimeThereIsNoVerdictAndItGoesOnLater) {
  script("{ratio: {deterministic: 1.02}}");
  expect_no_verdict("INCONCLUSIVE", "too_few_blocks", {"--time-limit", "0.001"});
  EXPECT_EQ(comparison(report(), "deterministic / fast").at("ratio"), nullptr);
  const std::int64_t seed = report().at("seed");
  const ProcessResult result = bench();
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_EQ(report().at("seed"), seed);
}

TEST_F(Bench, AnArmThatFailedIsTriedAgainByWhoGoesOn) {
  script("{ratio: {deterministic: 1.02}}");
  expect_no_verdict("INCONCLUSIVE", "too_few_blocks", {"--time-limit", "0.001"});
  std::vector<std::string> session = lines("out/windows.jsonl");
  session.push_back(
      R"({"kind":"failed","comparison":"deterministic / fast","reason":"timed_out","message":"m"})");
  write_lines("out/windows.jsonl", session);
  EXPECT_EQ(bench().exit_code, 0);
}

TEST_F(Bench, ASessionThatIsDoneIsJudgedAgainWithoutMeasuring) {
  bench();
  const auto before = lines("out/windows.jsonl");
  EXPECT_EQ(bench().exit_code, 0);
  EXPECT_EQ(lines("out/windows.jsonl"), before);
}

TEST_F(Bench, AnotherCaseOrBudgetIsRefused) {
  bench();
  EXPECT_EQ(bench({"--budget", "1.5"}).exit_code, 2);
  EXPECT_EQ(bench({"--modes", "fast,portable"}).exit_code, 2);
  const ProcessResult other = bench({"--set", "seed=43"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("a session of something else: its 'identity'"));
}

TEST_F(Bench, ATornLastLineIsCutADamagedOneIsEvidence) {
  bench();
  const std::string whole = read("out/windows.jsonl");
  write("out/windows.jsonl", whole.substr(0, whole.size() - 20));
  EXPECT_EQ(bench().exit_code, 0);
  auto damaged = lines("out/windows.jsonl");
  ASSERT_GT(damaged.size(), 10u);
  damaged[5] = damaged[5].substr(1);
  write_lines("out/windows.jsonl", damaged);
  const ProcessResult result = bench();
  EXPECT_EQ(result.exit_code, 5) << result.out << result.err;
  EXPECT_THAT(result.err, HasSubstr("windows.jsonl:6: "));
}

TEST_F(Bench, AWindowThatIsGoneIsEvidence) {
  bench();
  auto without = lines("out/windows.jsonl");
  std::size_t second = 0;
  while (json::parse(without[second]).value("position", -1) != 1) ++second;
  without.erase(without.begin() + static_cast<std::ptrdiff_t>(second));
  write_lines("out/windows.jsonl", without);
  EXPECT_EQ(bench().exit_code, 5);
}

TEST_F(Bench, AnotherDeviceThanTheSessionsIsRefused) {
  bench({"--time-limit", "0.001"});
  auto session = lines("out/windows.jsonl");
  ASSERT_GT(session.size(), 1u);
  for (std::string& line : session) {
    const std::size_t at = line.find("\"name\":\"fake\"");
    if (at != std::string::npos) line.replace(at, 13, "\"name\":\"else\"");
  }
  write_lines("out/windows.jsonl", session);
  const ProcessResult result = bench();
  EXPECT_EQ(result.exit_code, 2) << result.out << result.err;
  EXPECT_THAT(result.err, HasSubstr("else"));
  EXPECT_EQ(lines("out/windows.jsonl"), session);
}

TEST_F(Bench, InterruptedItExitsWithTheSignalAndGoesOn) {
  script("{ratio: {deterministic: 1.02}, pause: 0.2}");
  Process process(command({"bench", "case.yaml", "--out", "out", "--quiet"}));
  ASSERT_TRUE(eventually(30, [&] { return lines("out/windows.jsonl").size() >= 6; }));
  process.send(SIGINT);
  const ProcessResult result = process.wait();
  EXPECT_EQ(result.exit_code, 130) << result.out << result.err;
  EXPECT_THAT(result.err, HasSubstr("interrupted, no verdict"));
  EXPECT_FALSE(fs::exists(path("out/bench.json")));
  for (const std::string& line : lines("out/windows.jsonl")) EXPECT_NO_THROW(json::parse(line));
  expect_no_verdict("INCONCLUSIVE", "too_few_blocks", {"--time-limit", "1"});
}

TEST_F(Bench, AttributionNamesWhatEachSwitchCosts) {
  script("{ratio: {deterministic: 1.03}, switches: {fill: 1.03, tf32: 1.0}}");
  const ProcessResult result = bench({"--attribute"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  const json report = this->report();
  EXPECT_LE(std::abs(comparison(report, "fast + fill").at("ratio").get<double>() - 1.03), 0.004);
  EXPECT_LE(std::abs(comparison(report, "fast + tf32").at("ratio").get<double>() - 1), 0.004);
  const json off = comparison(report, "deterministic - fill");
  EXPECT_EQ(off.at("reference").at("numerics"), "deterministic");
  EXPECT_LE(std::abs(off.at("ratio").get<double>() - 1 / 1.03), 0.004);
}

TEST_F(Bench, InterruptedWhileItAsksForSwitchesItSaysSo) {
  script("{switches: {fill: 1.03}, doctor_s: 60}");
  fs::create_directory(path("tmp"));
  ProcessOptions options = command({"bench", "case.yaml", "--out", "out", "--attribute"});
  options.environment = {{"TMPDIR", path("tmp").string()}};
  Process process(options);
  ASSERT_TRUE(eventually(30, [&] { return !fs::is_empty(path("tmp")); }));
  process.send(SIGINT);
  const ProcessResult result = process.wait();
  EXPECT_EQ(result.exit_code, 130) << result.out << result.err;
  EXPECT_THAT(result.err, HasSubstr("doctor --json` was interrupted"));
  EXPECT_FALSE(fs::exists(path("out")));
}

TEST_F(Bench, ASwitchThatCannotBeForcedIsNamedAndTheRestStands) {
  for (const char* code : {"2", "3"}) {
    fs::remove_all(path("out"));
    script(std::string("{switches: {fill: 1.03, tf32: 1.0}, arms: {on-fill: {refuse: ") + code +
           "}}}");
    const ProcessResult result = bench({"--attribute"});
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    EXPECT_THAT(result.out, HasSubstr("could not run (trainer_failed)"));
    EXPECT_THAT(result.out, HasSubstr("arm on-fill: ended with exit code"));
    const json report = this->report();
    EXPECT_EQ(comparison(report, "fast + fill").at("state"), "could not run");
    EXPECT_EQ(comparison(report, "deterministic - tf32").at("state"), "measured");
  }
}

TEST_F(Bench, SeveralModesAreEachHeldAgainstTheFirst) {
  script("{ratio: {deterministic: 1.02, portable: 2.5}}");
  const ProcessResult result = bench({"--modes", "fast,deterministic,portable"});
  EXPECT_EQ(result.exit_code, 1) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("portable takes 2."));
  EXPECT_LE(comparison(report(), "deterministic / fast").at("high"), 1.05);
}

TEST_F(Bench, TheLineForGithubActionBenchmarkIsThere) {
  script("{ratio: {deterministic: 1.02}}");
  bench();
  const json list = read_json("out/github-action-benchmark.json");
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list.at(0).at("name"), "toy: deterministic / fast");
  EXPECT_EQ(list.at(0).at("value"), comparison(report(), "deterministic / fast").at("ratio"));
  EXPECT_THAT(list.at(0).at("range").get<std::string>(), StartsWith("± 0.0"));
}

TEST_F(Bench, JsonOnStdoutIsTheFile) {
  const ProcessResult result = bench({"--json"});
  EXPECT_EQ(result.out, read("out/bench.json"));
}

TEST_F(Bench, WhatTheCallerCanMendIsAUsageError) {
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{"--budget", "nan"},
                                             {"--budget", "-1"},
                                             {"--budget", "1.05x"},
                                             {"--time-limit", "0"},
                                             {"--time-limit", "inf"},
                                             {"--modes", "fast"},
                                             {"--modes", "fast,quick"},
                                             {"--modes", "fast,fast"},
                                             {"--modes", "deterministic,fast", "--attribute"},
                                             {"--attribute"}}) {  // a trainer that lists no switch
    EXPECT_EQ(bench(args).exit_code, 2) << args[0] << " " << args.back();
    EXPECT_FALSE(fs::exists(path("out"))) << args[0];
  }
}

TEST_F(Bench, AFolderThatHoldsSomethingElseIsNotTouched) {
  write("notes", "mine");
  const ProcessResult result = twinrun({"bench", "case.yaml", "--out", "."});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_FALSE(fs::exists(path("windows.jsonl")));
}

}  // namespace
}  // namespace twinrun
