// twinrun-train bench on a GPU. Label `gpu`.

#include <gmock/gmock.h>

#include "tests/e2e/bench_case.h"

namespace twinrun {
namespace {

using nlohmann::json;

class GpuBench : public BenchCase {};

TEST_F(GpuBench, WindowsHaveTheTimesOfTheDeviceAndWhatNvmlTells) {
  train({"--set", "device=cuda"});
  write_arm({{"warmup_steps", 20}, {"delay", 0}, {"switches", json::object()}});
  const auto result = bench("run 500\nrun 500\n");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto lines = answers(result.out);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_TRUE(lines[0].at("nvml").is_null()) << lines[0].at("nvml");
  for (const std::size_t i : {1, 2}) {
    const json& window = lines[i];
    EXPECT_NEAR(window.at("device_ns").get<double>() / window.at("host_ns").get<double>(), 1, 0.02);
    EXPECT_GT(window.at("sm_mhz"), 0);
    EXPECT_GE(window.at("sm_mhz_max"), window.at("sm_mhz"));
    EXPECT_GT(window.at("power_w"), 0);
    EXPECT_GT(window.at("temperature_c"), 0);
    EXPECT_TRUE(window.at("throttle").is_array());
    EXPECT_TRUE(window.at("other_processes").is_null() || window.at("other_processes") >= 0);
  }
}

TEST_F(GpuBench, StepsAreThoseOfTrain) {
  train({"--set", "device=cuda", "--set", "train.steps=12"});
  write_arm(bench_object());
  const auto result = bench(repeat("run 1\n", 6));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto recorded = recorded_adapters();
  const auto lines = answers(result.out);
  ASSERT_EQ(lines.size(), 7u);
  for (std::size_t i = 1; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i].at("adapter"), recorded.at(lines[i].at("step").get<std::size_t>()));
  }
}

TEST_F(GpuBench, TheDelayMakesTheStepsLonger) {
  train({"--set", "device=cuda"});
  write_arm({{"warmup_steps", 100}, {"delay", 1}, {"switches", json::object()}});
  const auto result = bench("run 300\n");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto lines = answers(result.out);
  ASSERT_EQ(lines.size(), 2u);
  const auto delay = 300 * lines[0].at("delay_ns").get<double>();
  // A step besides its delay: the tiny model's is bound by the queueing thread.
  for (const char* clock : {"host_ns", "device_ns"}) {
    EXPECT_GT(lines[1].at(clock).get<double>(), 1.5 * delay) << clock;
  }
}

TEST_F(GpuBench, EachSwitchAloneIsForcedAndReadBackInBothModesAndTypes) {
  for (const char* dtype : {"float32", "bfloat16"}) {
    std::filesystem::remove_all(path("run"));
    train({"--set", "device=cuda", "--set", std::string("model.dtype=") + dtype});
    write_arm(bench_object());
    const auto listed =
        json::parse(run_process(trainer("doctor", "case.yaml")).out).at("bench_switches");
    ASSERT_GE(listed.size(), 4u);
    for (const auto& one : listed) {
      for (const bool on : {false, true}) {
        const std::string name = one.at("name");
        auto bench_json = bench_object();
        bench_json["switches"] = {{name, on}};
        write_arm(bench_json, [&](json& config) {
          config["identity"]["numerics"] = on ? "fast" : "deterministic";
        });
        const auto result = bench("run 2\n");
        ASSERT_EQ(result.exit_code, 0) << name << " " << on << ": " << result.err;
        const auto value = answers(result.out).at(0).at("switches").at(name);
        const auto wanted = one.at(on ? "on" : "off");
        EXPECT_TRUE(wanted.is_null() || value == wanted) << name << " is " << value;
      }
    }
  }
}

}  // namespace
}  // namespace twinrun
