#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>

#include "harness/launch/launch.h"
#include "tests/temp_folder.h"

namespace twinrun::harness {

/// A run folder, and shell scripts as trainers; the script finds its run folder in $RUN.
class LaunchFixture : public ::testing::Test {
 protected:
  LaunchOptions script(const std::string& text) const {
    LaunchOptions options;
    options.command = {"/bin/sh", "-c", text};
    options.run_dir = run_dir_;
    options.environment = {{"RUN", run_dir_.string()}};
    options.step_timeout_s = 20;
    options.kill_grace_s = 0.3;
    return options;
  }

  std::string read(const std::string& name) const {
    std::ifstream stream(run_dir_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  /// The number in file `name`, once it is there with its line feed.
  pid_t wait_for_pid(const std::string& name) const {
    for (int i = 0; i < 1000; ++i) {
      const std::string text = read(name);
      if (!text.empty() && text.back() == '\n') return static_cast<pid_t>(std::stol(text));
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw std::runtime_error("the script never wrote " + name);
  }

  /// Whether `pid` runs: neither gone nor a zombie.
  static bool runs(pid_t pid) {
    std::ifstream stream("/proc/" + std::to_string(pid) + "/stat");
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    const std::size_t name_end = text.rfind(") ");
    return name_end != std::string::npos && text[name_end + 2] != 'Z' && text[name_end + 2] != 'X';
  }

  static bool ends_soon(pid_t pid) {
    for (int i = 0; i < 500 && runs(pid); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return !runs(pid);
  }

  const test::TempFolder temp_;
  const std::filesystem::path run_dir_ = temp_.path();
};

}  // namespace twinrun::harness
