#include "trainer/bench/bench_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "trainer/train/train_config.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json good() { return {{"warmup_steps", 4}, {"delay", 0.03}, {"switches", {{"a", true}}}}; }

protocol::RunConfig with(json bench) { return {{}, {}, {{"bench", std::move(bench)}}}; }

std::string complaint(const protocol::RunConfig& config) {
  try {
    read_bench_options(config);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "none";
}

TEST(BenchOptions, AreReadAsTheyStand) {
  const auto options = read_bench_options(with(good()));
  EXPECT_EQ(options.warmup_steps, 4);
  EXPECT_EQ(options.delay, 0.03);
  EXPECT_EQ(options.switches, (std::map<std::string, bool>{{"a", true}}));
}

TEST(BenchOptions, ARunsConfigurationAndPlantedFaultsAreRefused) {
  EXPECT_THAT(complaint({{}, {}, json::object()}), HasSubstr("/launch/bench is missing"));
  auto config = with(good());
  config.launch["inject"] = {"nan@3"};
  EXPECT_THAT(complaint(config), HasSubstr("/launch/inject"));
  config.launch["inject"] = json::array();
  EXPECT_EQ(complaint(config), "none");
}

TEST(BenchOptions, EveryKeyHasToBeThereAndNoOther) {
  for (const char* key : {"warmup_steps", "delay", "switches"}) {
    auto bench = good();
    bench.erase(key);
    EXPECT_THAT(complaint(with(bench)), HasSubstr(std::string(key) + " is missing"));
  }
  auto bench = good();
  bench["warm_up"] = 1;
  EXPECT_THAT(complaint(with(bench)), HasSubstr("/launch/bench/warm_up is unknown"));
  EXPECT_THAT(complaint(with(json::array())), HasSubstr("an object is needed"));
  EXPECT_THAT(complaint(with(nullptr)), HasSubstr("an object is needed"));
}

TEST(BenchOptions, ValuesOutOfRangeOrOfAnotherTypeAreNamed) {
  const std::vector<std::pair<const char*, std::vector<json>>> bad = {
      {"warmup_steps", {0, -1, 1.5, "4", nullptr, 1000001, 18446744073709551615u}},
      {"delay", {-0.01, 1.01, "0", nullptr, std::numeric_limits<double>::quiet_NaN()}},
      {"switches", {nullptr, json::array(), true, {{"a", 1}}, {{"a", "on"}}, {{"a", nullptr}}}}};
  for (const auto& [key, values] : bad) {
    for (const auto& value : values) {
      auto bench = good();
      bench[key] = value;
      EXPECT_THAT(complaint(with(bench)), HasSubstr(std::string("/launch/bench/") + key)) << value;
    }
  }
}

}  // namespace
}  // namespace twinrun::trainer
