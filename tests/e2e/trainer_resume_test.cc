// twinrun-train killed and resumed: a tiny random Llama on the CPU, twelve steps over several
// epochs, a checkpoint every third. What is left in the end has to be, byte for byte, what a run
// leaves that was never stopped.

#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>
#include <thread>

#include "harness/protocol/canonical_json.h"
#include "harness/protocol/record_reader.h"
#include "tests/e2e/tiny_case.h"

namespace twinrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kFiles[] = {"steps.jsonl", "tensors.jsonl",
                                  "adapter/adapter_model.safetensors",
                                  "adapter/adapter_config.json"};

class TrainerResume : public TinyCase {
 protected:
  TrainerResume() {
    write("case.yaml", R"(
schema: 1
name: tiny
model: {config: model.json, init: random, seed: 7, dtype: float32}
data: {synthetic: {samples: 11, length: 12, vocab_size: 61, seed: 3}}
lora: {rank: 4, alpha: 8, dropout: 0.1, target_modules: all-linear}
train:
  {steps: 12, batch_size: 2, gradient_accumulation: 2, checkpoint_every: 3,
   optimizer: {name: adamw, lr: 1.0e-2}}
seed: 42
numerics: deterministic
device: cpu
threads: 1
)");
    // Never stopped, and without checkpoints: they must not change a byte either.
    const auto whole = train("whole", {"--set", "train.checkpoint_every=0"});
    EXPECT_EQ(whole.exit_code, 0) << whole.err;
  }

  ProcessResult train(const std::string& run, const std::vector<std::string>& more = {}) const {
    return twinrun(train_args(run, more));
  }
  static std::vector<std::string> train_args(const std::string& run,
                                             const std::vector<std::string>& more = {}) {
    std::vector<std::string> args = {"train", "case.yaml", "--run-dir", run, "--quiet"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }

  /// A run that was killed when step 7 was written and its line cut in the middle: checkpoints 3
  /// and 6, and a line and a half behind them.
  void stop_behind_seven(const std::string& run) const {
    ASSERT_EQ(train(run, {"--inject", "crash@9"}).exit_code, 3);
    auto steps = lines(run + "/steps.jsonl");
    ASSERT_EQ(steps.size(), 10u);
    const std::string torn = steps.back().substr(0, 100);
    steps.pop_back();
    write_lines(run + "/steps.jsonl", steps);
    write(run + "/steps.jsonl", read(run + "/steps.jsonl") + torn);
  }

  void expect_whole(const std::string& run) const {
    for (const char* file : kFiles) {
      EXPECT_TRUE(read("whole/" + std::string(file)) == read(run + "/" + file))
          << run << "/" << file << " is not that of the run that was never stopped";
    }
    const json manifest = read_json(run + "/manifest.json");
    EXPECT_EQ(manifest.at("status"), "complete");
    EXPECT_EQ(manifest.at("head"), read_json("whole/manifest.json").at("head"));
  }

  void expect_refused(const std::string& run, const testing::Matcher<std::string>& says,
                      const std::vector<std::string>& more = {"--resume"}) const {
    const std::string before = read(run + "/steps.jsonl");
    const auto result = train(run, more);
    EXPECT_EQ(result.exit_code, 2) << result.out;
    EXPECT_THAT(result.err, says);
    EXPECT_TRUE(read(run + "/steps.jsonl") == before) << "the record was changed";
  }
};

class TrainerKilled : public TrainerResume {
 protected:
  TrainerKilled() {
    const char* seed = std::getenv("TWINRUN_TEST_SEED");
    seed_ = seed == nullptr ? std::random_device{}() : std::strtoull(seed, nullptr, 10);
    random_.seed(seed_);
    std::cout << "TWINRUN_TEST_SEED=" << seed_ << std::endl;
  }

  long below(long limit) { return std::uniform_int_distribution<long>(0, limit - 1)(random_); }

  /// Starts or resumes `run` without a judge, to be killed at the `call`-th call that changes
  /// something in its folder; 0: never, and `count` gets the number of calls.
  ProcessResult train_until(const std::string& run, long call) const {
    fs::create_directories(path(run));
    if (!fs::exists(path(run) / "config.json")) {
      json config = read_json("whole/config.json");
      config["launch"]["checkpoint_every"] = 3;
      write(run + "/config.json", config.dump() + "\n");
    }
    ProcessOptions options;
    options.command = {TWINRUN_BIN_DIR "/twinrun-train", "train", path(run) / "config.json",
                       "--run-dir", path(run)};
    if (fs::exists(path(run) / "manifest.json")) options.command.push_back("--resume");
    options.environment = {{"LD_PRELOAD", KILL_AT_CALL},
                           {"KILL_FOLDER", path(run)},
                           {"KILL_AT", std::to_string(call)},
                           {"KILL_COUNT", path("count")}};
    return run_process(options);
  }

  /// Kills `twinrun train` as it stands after a while, and with it the trainer.
  void train_for(const std::string& run, long milliseconds) const {
    Process judge(command(train_args(run, fs::exists(path(run) / "config.json")
                                              ? std::vector<std::string>{"--resume"}
                                              : std::vector<std::string>{})));
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    judge.send(SIGKILL);
    judge.wait();
  }

  std::string state(const std::string& run) const {
    std::string text = std::to_string(fs::exists(path(run) / "steps.jsonl")
                                          ? static_cast<long>(lines(run + "/steps.jsonl").size())
                                          : 0) +
                       " lines,";
    if (!fs::exists(path(run) / "checkpoints")) return text + " no checkpoint";
    for (const auto& entry : fs::directory_iterator(path(run) / "checkpoints")) {
      text += " " + entry.path().filename().string();
    }
    return text;
  }

  /// Resumes `run` to its end, unless a kill came too late to stop it.
  void finish(const std::string& run) const {
    const bool manifest = fs::exists(path(run) / "manifest.json");
    const json before = manifest ? read_json(run + "/manifest.json") : json::object();
    if (before.value("status", "") != "complete") {
      const auto result = train(run, {"--resume"});
      EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    }
    const json after = read_json(run + "/manifest.json");
    EXPECT_EQ(before.value("run_id", after.at("run_id")), after.at("run_id"));
    expect_whole(run);
    for (const std::string& line : lines(run + "/timings.jsonl")) {
      EXPECT_TRUE(json::accept(line)) << line;
    }
  }

  std::uint64_t seed_ = 0;
  std::mt19937_64 random_;
};

TEST_F(TrainerKilled, AtAnyCallItGoesOnToTheSameBytes) {
  ASSERT_EQ(train_until("counted", 0).exit_code, 0);
  const long calls = std::stol(read("count"));
  ASSERT_GT(calls, 100);
  expect_whole("counted");
  constexpr int kKills[] = {1, 1, 1, 1, 1, 2, 2, 3};
  for (std::size_t point = 0; point < std::size(kKills); ++point) {
    const std::string run = "point" + std::to_string(point);
    // The first one falls into the first few calls: there is no manifest, or no line yet.
    long call = point == 0 ? 1 + below(12) : 1 + below(calls);
    for (int kill = 0; kill < kKills[point]; ++kill, call = 1 + below(calls / 4)) {
      const auto result = train_until(run, call);
      std::cout << run << ": call " << call << ", "
                << (result.signal == SIGKILL ? "killed" : "not reached") << "; " << state(run)
                << std::endl;
      if (result.signal != SIGKILL) break;
    }
    finish(run);
  }
}

TEST_F(TrainerKilled, WithItsJudgeAtAnyTimeItGoesOnToTheSameBytes) {
  const auto start = std::chrono::steady_clock::now();
  train("timed");
  const long whole_ms = (std::chrono::steady_clock::now() - start) / std::chrono::milliseconds(1);
  for (int point = 0; point < 3; ++point) {
    const std::string run = "point" + std::to_string(point);
    const long milliseconds = 20 + below(whole_ms);
    train_for(run, milliseconds);
    if (!fs::exists(path(run) / "config.json")) continue;  // killed before there was a run
    std::cout << run << ": after " << milliseconds << " ms; " << state(run) << std::endl;
    finish(run);
  }
}

TEST_F(TrainerResume, ACrashPlantedIsNotPlantedAgain) {
  stop_behind_seven("run");
  EXPECT_EQ(read_json("run/config.json").at("launch").at("inject"), json({"crash@9"}));
  const std::string id = read_json("run/manifest.json").at("run_id");
  fs::create_directories(path("run/checkpoints/step-9.tmp"));
  const auto result = train("run", {"--resume"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  expect_whole("run");
  const json manifest = read_json("run/manifest.json");
  EXPECT_EQ(manifest.at("run_id"), id);
  EXPECT_EQ(manifest.at("resumed").size(), 1u);
  EXPECT_EQ(manifest.at("resumed").at(0).at("step"), 6);
  EXPECT_EQ(read_json("run/config.json").at("launch").at("inject"), json::array());
  EXPECT_FALSE(fs::exists(path("run/checkpoints/step-9.tmp")));
  // What is equal in every bit is so for the judge, too.
  const auto compared = twinrun({"compare", "whole", "run", "--without-controls"});
  EXPECT_EQ(compared.exit_code, 0) << compared.out;
}

TEST_F(TrainerResume, ADamagedCheckpointIsRefusedAndTheOneBeforeItGoesOn) {
  stop_behind_seven("run");
  const std::string file = "run/checkpoints/step-6/optimizer.safetensors";
  std::string bytes = read(file);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write(file, bytes);
  const auto says = AllOf(HasSubstr("checkpoints/step-6 is refused: optimizer.safetensors"),
                          HasSubstr("Remove that folder to resume from step 3"));
  expect_refused("run", says);
  expect_refused("run", says);  // a refusal changes nothing about it
  fs::remove_all(path("run/checkpoints/step-6"));
  EXPECT_EQ(train("run", {"--resume"}).exit_code, 0);
  expect_whole("run");
}

TEST_F(TrainerResume, ACheckpointThatIsWholeButNotTheRecordsStateIsRefused) {
  stop_behind_seven("run");
  // Its torn line is gone by the time that the state is looked at.
  auto steps = lines("run/steps.jsonl");
  steps.pop_back();
  write_lines("run/steps.jsonl", steps);
  const std::string folder = "run/checkpoints/step-6/";
  std::string bytes = read(folder + "adapter.safetensors");
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write(folder + "adapter.safetensors", bytes);
  json state = read_json(folder + "checkpoint.json");
  state["files"]["adapter.safetensors"] = protocol::to_hex(protocol::sha256(bytes));
  state.erase("digest");
  state["digest"] = protocol::to_hex(protocol::canonical_digest(state));
  write(folder + "checkpoint.json", protocol::canonical_json(state) + "\n");
  expect_refused("run", HasSubstr("the checkpoint of step 6 does not hold the adapter"));
}

TEST_F(TrainerResume, AnotherRunsCheckpointIsRefused) {
  stop_behind_seven("run");
  ASSERT_EQ(train("other").exit_code, 0);
  fs::copy(path("other/checkpoints/step-9"), path("run/checkpoints/step-9"));
  expect_refused("run", HasSubstr("step-9 is refused: it is of another run id"));
}

TEST_F(TrainerResume, WithoutAnyCheckpointAllIsComputedAgain) {
  stop_behind_seven("run");
  fs::remove_all(path("run/checkpoints"));
  EXPECT_EQ(train("run", {"--resume"}).exit_code, 0);
  expect_whole("run");
  EXPECT_EQ(read_json("run/manifest.json").at("resumed").at(0).at("step"), 0);
}

TEST_F(TrainerResume, ARecordWithItsEndLineIsFinished) {
  ASSERT_EQ(train("run").exit_code, 0);
  json manifest = read_json("run/manifest.json");
  manifest["status"] = "running";
  manifest["head"] = nullptr;
  write("run/manifest.json", manifest.dump());
  fs::remove_all(path("run/adapter"));
  EXPECT_EQ(train("run", {"--resume"}).exit_code, 0);
  expect_whole("run");
}

TEST_F(TrainerResume, WhatComesOutOtherwiseFailsAndOverwritesNothing) {
  stop_behind_seven("run");
  // Step 7 with another sum of tokens, and a chain that holds all the same.
  auto steps = lines("run/steps.jsonl");
  steps.pop_back();
  std::string& seven = steps.back();
  ASSERT_THAT(seven, HasSubstr("\"step\":7,"));
  std::string open(protocol::split_chain(seven)->hashed);
  open.replace(open.find("\"tokens\":"), 11, "\"tokens\":11");
  const auto before = protocol::split_chain(steps[steps.size() - 2])->chain;
  seven = protocol::with_chain(open, protocol::chain_next(before, open));
  write_lines("run/steps.jsonl", steps);
  const std::string bytes = read("run/steps.jsonl");

  const auto result = train("run", {"--resume"});
  EXPECT_EQ(result.exit_code, 3) << result.out;
  EXPECT_THAT(result.out, HasSubstr("resume_diverged: step 7"));
  const json manifest = read_json("run/manifest.json");
  EXPECT_EQ(manifest.at("status"), "failed");
  EXPECT_THAT(manifest.at("message").get<std::string>(), HasSubstr("resume_diverged: step 7"));
  EXPECT_EQ(read("run/steps.jsonl"), bytes);
}

TEST_F(TrainerResume, WhatCannotGoOnIsRefusedInWords) {
  expect_refused("whole", HasSubstr("'whole' holds a run that is complete"));
  expect_refused("whole", HasSubstr("continue it with --resume"), {});
  fs::create_directory(path("empty"));
  write("empty/steps.jsonl", "");
  expect_refused("empty", HasSubstr("'empty' holds no run"));

  stop_behind_seven("run");
  expect_refused("run", HasSubstr("seed is 43, the run has 42"), {"--resume", "--set", "seed=43"});
  expect_refused("run", HasSubstr("cpu/threads was 1 and is 2"),
                 {"--resume", "--set", "threads=2"});
  const std::string good = read("run/steps.jsonl");
  std::string broken = good;
  broken[broken.find("\"step\":2,") + 30] ^= 1;
  write("run/steps.jsonl", broken);
  expect_refused("run", HasSubstr("line 4: its chain value does not follow"));
  write("run/steps.jsonl", good);
  // None of these refusals has done any harm.
  EXPECT_EQ(train("run", {"--resume"}).exit_code, 0);
  expect_whole("run");
}

}  // namespace
}  // namespace twinrun
