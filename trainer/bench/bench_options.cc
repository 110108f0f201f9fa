#include "trainer/bench/bench_options.h"

#include "trainer/train/train_config.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& what) { throw ConfigError("config.json: " + what); }

void require_keys(const json& bench) {
  if (!bench.is_object()) refuse("/launch/bench is " + bench.dump() + ", an object is needed");
  for (const char* key : {"warmup_steps", "delay", "switches"}) {
    if (!bench.contains(key)) refuse(std::string("/launch/bench/") + key + " is missing");
  }
  if (bench.size() == 3) return;
  for (const auto& [key, value] : bench.items()) {
    if (key != "warmup_steps" && key != "delay" && key != "switches") {
      refuse("/launch/bench/" + key + " is unknown; it has warmup_steps, delay and switches");
    }
  }
}

}  // namespace

BenchOptions read_bench_options(const protocol::RunConfig& config) {
  if (!config.launch.contains("bench")) {
    refuse("/launch/bench is missing: this is the configuration of a run, not of a measurement");
  }
  if (!config.launch.value("inject", json::array()).empty()) {
    refuse("/launch/inject plants faults, which have no place in a measurement");
  }
  const json& bench = config.launch.at("bench");
  require_keys(bench);
  BenchOptions options;
  const json &steps = bench.at("warmup_steps"), &delay = bench.at("delay");
  constexpr std::int64_t kMostSteps = 1'000'000;
  if (!steps.is_number_integer() || steps < 1 || steps > kMostSteps) {
    refuse("/launch/bench/warmup_steps is " + steps.dump() + ", 1 .. 1000000 are possible");
  }
  options.warmup_steps = steps;
  if (!delay.is_number() || !(delay >= 0 && delay <= 1)) {
    refuse("/launch/bench/delay is " + delay.dump() + ", 0 .. 1 are possible");
  }
  options.delay = delay;
  const json& switches = bench.at("switches");
  if (!switches.is_object()) {
    refuse("/launch/bench/switches is " + switches.dump() + ", an object is needed");
  }
  for (const auto& [name, on] : switches.items()) {
    if (!on.is_boolean()) {
      refuse("/launch/bench/switches/" + name + " is " + on.dump() + ", true or false is needed");
    }
    options.switches[name] = on;
  }
  return options;
}

}  // namespace twinrun::trainer
