// twinrun-train bench on a tiny random Llama on the CPU (docs/protocol.md section 11).

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/e2e/bench_case.h"

namespace twinrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

class TrainerBench : public BenchCase {
 protected:
  /// Exit code 2 or 3, nothing answered, `words` in the last line of stderr.
  void expect_refused(const ProcessResult& result, int exit_code, const std::string& words) const {
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_EQ(result.out, "");
    const auto last = result.err.rfind('\n', result.err.size() - 2);
    const auto message = result.err.substr(last == std::string::npos ? 0 : last + 1);
    EXPECT_THAT(message, HasSubstr("twinrun-train: "));
    EXPECT_THAT(message, HasSubstr(words));
  }

  /// The switches of `ready` when all that `doctor` lists are forced to `on` in `mode`.
  void expect_forced(const std::string& mode, bool on, const json& listed) {
    auto bench_json = bench_object();
    for (const auto& one : listed) bench_json["switches"][one.at("name")] = on;
    write_arm(bench_json, [&](json& config) { config["identity"]["numerics"] = mode; });
    const auto result = bench("run 1\n");
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto ready = answers(result.out).at(0);
    EXPECT_EQ(ready.at("forced"), bench_json["switches"]);
    EXPECT_EQ(ready.at("numerics"), mode);
    for (const auto& one : listed) {
      EXPECT_EQ(ready.at("switches").at(one.at("name")), one.at(on ? "on" : "off"))
          << one << " in " << mode;
    }
  }
};

TEST_F(TrainerBench, SaysReadyAndAnswersEachWindowAndWritesNothing) {
  train();
  write_arm({{"warmup_steps", 4}, {"delay", 0.5}, {"switches", json::object()}});
  const auto result = bench("run 1\nrun 7\nquit\nrun 1\n");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto lines = answers(result.out);
  ASSERT_EQ(lines.size(), 3u);

  const json& ready = lines[0];
  const json manifest = read_json("run/manifest.json");
  EXPECT_EQ(ready.at("ready"), true);
  EXPECT_EQ(ready.at("schema"), 1);
  for (const char* key : {"numerics", "arithmetic", "device", "versions", "switches"}) {
    EXPECT_EQ(ready.at(key), manifest.at(key)) << key;
  }
  EXPECT_EQ(ready.at("forced"), json::object());
  const auto warmed = ready.at("warmup_steps").get<std::int64_t>();
  EXPECT_GE(warmed, 4);
  EXPECT_LE(warmed, 20);
  EXPECT_TRUE(ready.at("settled") == true || warmed == 20);
  EXPECT_GT(ready.at("step_ns"), 0);
  EXPECT_NEAR(ready.at("delay_ns").get<double>(), 0.5 * ready.at("step_ns").get<double>(), 1);
  EXPECT_EQ(ready.at("nvml"), "the device is a CPU");

  std::int64_t step = warmed;
  for (int i : {1, 2}) {
    const json& window = lines[static_cast<std::size_t>(i)];
    step += i == 1 ? 1 : 7;
    EXPECT_EQ(window.at("window"), i);
    EXPECT_EQ(window.at("steps"), i == 1 ? 1 : 7);
    EXPECT_EQ(window.at("step"), step);
    EXPECT_GT(window.at("host_ns"), 0);
    EXPECT_EQ(window.at("loss_finite"), true);
    for (const char* key : {"device_ns", "sm_mhz", "sm_mhz_max", "power_w", "temperature_c",
                            "throttle", "other_processes"}) {
      EXPECT_TRUE(window.at(key).is_null()) << key;
    }
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(path("arm")), fs::directory_iterator()), 1);
}

TEST_F(TrainerBench, StepsAreThoseOfTrain) {
  train({"--set", "train.steps=14", "--set", "train.gradient_accumulation=2"});
  write_arm(bench_object());
  const auto result = bench(repeat("run 1\n", 8) + "run 1\n");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto recorded = recorded_adapters();
  ASSERT_EQ(recorded.size(), 15u);
  const auto lines = answers(result.out);
  ASSERT_EQ(lines.size(), 10u);
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto step = lines[i].at("step").get<std::size_t>();
    ASSERT_LT(step, recorded.size());
    EXPECT_EQ(lines[i].at("adapter"), recorded[step]) << step;
  }
}

// Three steps are asked for; with a constant rate those behind them are those of a longer run, over
// the end of an epoch (8 steps).
TEST_F(TrainerBench, StepsGoOnBehindTheLast) {
  train({"--set", "train.steps=21"});
  const auto recorded = recorded_adapters();
  write_arm(bench_object(), [](json& config) { config["identity"]["train"]["steps"] = 3; });
  const auto result = bench("run 15\nrun 1\n");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const json& line : answers(result.out)) {
    if (line.contains("ready")) continue;
    const auto step = line.at("step").get<std::size_t>();
    EXPECT_GE(step, 17u);
    EXPECT_EQ(line.at("adapter"), recorded.at(step)) << step;
  }
}

TEST_F(TrainerBench, BehindTheLastStepTheRateStaysAndTheAdapterMovesOn) {
  train({"--set", "train.schedule.name=linear"});
  write_arm(bench_object());
  const auto result = bench("run 5\nrun 1\nrun 1\n");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto lines = answers(result.out);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_NE(lines[1].at("adapter"), lines[2].at("adapter"));
  EXPECT_NE(lines[2].at("adapter"), lines[3].at("adapter"));
}

// Were it not waited, the fastest of 200 steps would be faster than the median of the warm-up.
TEST_F(TrainerBench, TheDelayIsWaitedInEveryStep) {
  train();
  write_arm({{"warmup_steps", 40}, {"delay", 1}, {"switches", json::object()}});
  const auto result = bench(repeat("run 1\n", 200) + "run 50\n");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto lines = answers(result.out);
  ASSERT_EQ(lines.size(), 202u);
  const auto delay = lines[0].at("delay_ns").get<std::int64_t>();
  EXPECT_EQ(delay, lines[0].at("step_ns"));
  for (std::size_t i = 1; i < lines.size(); ++i) {
    EXPECT_GT(lines[i].at("host_ns").get<std::int64_t>(),
              delay * lines[i].at("steps").get<std::int64_t>());
  }
}

TEST_F(TrainerBench, AnswersBeforeTheNextCommandIsWrittenAndEndsWithTheCommands) {
  train();
  write_arm(bench_object());
  ASSERT_EQ(mkfifo(path("commands").c_str(), 0600), 0);
  auto options = trainer("bench", "commands");
  options.before_exec = [in = path("commands").string(), out = path("answers").string()] {
    dup2(open(out.c_str(), O_WRONLY | O_CREAT, 0600), STDOUT_FILENO);
    dup2(open(in.c_str(), O_RDONLY), STDIN_FILENO);
  };
  Process process(options);
  std::ofstream commands(path("commands"));  // waits for the reader
  const auto answered = [&](std::size_t count) {
    return eventually(
        60, [&] { return fs::exists(path("answers")) && lines("answers").size() == count; });
  };
  EXPECT_TRUE(answered(1));
  for (std::size_t i : {2, 3}) {
    commands << "run 2\n" << std::flush;
    EXPECT_TRUE(answered(i));
  }
  commands << "run 2";  // torn: no command
  commands.close();
  EXPECT_EQ(process.wait().exit_code, 0);
  EXPECT_EQ(lines("answers").size(), 3u);
}

TEST_F(TrainerBench, WhatIsNoCommandEndsItWithTheReason) {
  train();
  write_arm(bench_object());
  const auto result = bench("run 1\nrun all\nrun 1\n");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(answers(result.out).size(), 2u);
  EXPECT_THAT(result.err, HasSubstr("twinrun-train: \"run all\" is no command"));
}

TEST_F(TrainerBench, ALossThatIsNotFiniteIsNoMeasurement) {
  train();
  write_arm(bench_object(),
            [](json& config) { config["identity"]["train"]["optimizer"]["lr"] = 1e30; });
  expect_refused(bench("run 1\n"), 3, "what is not finite cannot stand for training");
}

TEST_F(TrainerBench, SwitchesAreForcedAndReadBackInBothModes) {
  train();
  write_arm(bench_object());
  const auto asked = run_process(trainer("doctor", "case.yaml"));
  ASSERT_EQ(asked.exit_code, 0) << asked.err;
  const auto listed = json::parse(asked.out).at("bench_switches");
  ASSERT_GE(listed.size(), 4u);
  std::vector<std::string> names;
  for (const auto& one : listed) {
    names.push_back(one.at("name"));
    EXPECT_NE(one.at("what"), "");
    EXPECT_NE(one.at("on"), one.at("off")) << one;
  }
  for (const char* name :
       {"deterministic_algorithms", "fill_uninitialized_memory", "onednn_deterministic"}) {
    EXPECT_THAT(names, testing::Contains(name));
  }
  expect_forced("deterministic", false, listed);
  expect_forced("fast", true, listed);
}

TEST_F(TrainerBench, ASwitchThatCannotBeForcedIsRefused) {
  train();
  auto bench_json = bench_object();
  bench_json["switches"]["threads"] = false;
  write_arm(bench_json);
  expect_refused(bench(""), 2, "the switch 'threads' cannot be forced with numerics deterministic");
  bench_json["switches"] = {{"deterministic_algorithms", true}};
  write_arm(bench_json, [](json& config) { config["identity"]["numerics"] = "portable"; });
  expect_refused(bench(""), 2, "can be: none");
}

TEST_F(TrainerBench, AConfigurationWithoutItIsRefusedAndTrainTakesNone) {
  train();
  write_arm(bench_object(), [](json& config) { config["launch"].erase("bench"); });
  expect_refused(bench(""), 2, "/launch/bench is missing");

  write_arm(bench_object());
  const auto result = run_process(trainer("train", "case.yaml"));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("/launch/bench is for `bench`; a run takes none"));
  EXPECT_EQ(read_json("arm/manifest.json").at("status"), "usage_error");
  EXPECT_FALSE(fs::exists(path("arm/steps.jsonl")));
}

}  // namespace
}  // namespace twinrun
