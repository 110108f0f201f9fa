#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <sstream>

#include "tests/e2e/tiny_case.h"

namespace twinrun {

/// A tiny case that `train` has run in the folder `run`, and `twinrun-train bench` with its
/// configuration.
class BenchCase : public TinyCase {
 protected:
  /// What `launch.bench` is unless a test says otherwise: as little as possible.
  static nlohmann::json bench_object() {
    return {{"warmup_steps", 1}, {"delay", 0}, {"switches", nlohmann::json::object()}};
  }

  /// Runs the case, which writes run/config.json and the record.
  void train(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> args = {"train", "case.yaml", "--run-dir", "run", "--quiet"};
    args.insert(args.end(), more.begin(), more.end());
    const auto result = twinrun(args);
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }

  /// Writes arm/config.json: that of the run, with `bench` and whatever `change` does.
  void write_arm(const nlohmann::json& bench,
                 const std::function<void(nlohmann::json&)>& change = {}) const {
    std::filesystem::create_directories(path("arm"));
    auto config = read_json("run/config.json");
    config["launch"]["bench"] = bench;
    if (change) change(config);
    write("arm/config.json", config.dump());
  }

  /// `twinrun-train COMMAND arm/config.json --run-dir arm` with stdin from the file `in`.
  ProcessOptions trainer(const std::string& command, const std::string& in) const {
    ProcessOptions options;
    options.command = {TWINRUN_BIN_DIR "/twinrun-train", command, "arm/config.json", "--run-dir",
                       "arm"};
    options.cwd = folder_.path();
    options.before_exec = [file = path(in).string()] {
      dup2(open(file.c_str(), O_RDONLY), STDIN_FILENO);
    };
    return options;
  }

  /// Runs `bench`, which reads `commands`.
  ProcessResult bench(const std::string& commands) const {
    write("commands", commands);
    return run_process(trainer("bench", "commands"));
  }

  static std::vector<nlohmann::json> answers(const std::string& out) {
    std::istringstream text(out);
    std::vector<nlohmann::json> list;
    for (std::string line; std::getline(text, line);) list.push_back(nlohmann::json::parse(line));
    return list;
  }

  /// The adapter's digest behind each step of run/steps.jsonl, step 0 first.
  std::vector<std::string> recorded_adapters() const {
    std::vector<std::string> digests;
    for (const auto& line : lines("run/steps.jsonl")) {
      const auto object = nlohmann::json::parse(line);
      if (object.contains("adapter")) digests.push_back(object.at("adapter"));
    }
    return digests;
  }

  static std::string repeat(const std::string& command, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) text += command;
    return text;
  }
};

}  // namespace twinrun
