#include "harness/bench/window.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "harness/protocol/strict_json.h"
#include "harness/report/json_fields.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

constexpr int kArmsAlive = 2;  ///< ours on the device: the one that is timed and the one that waits
constexpr double kClocksDifferMax = 0.01;  ///< of host and device, relative
constexpr double kSmClockMin = 0.75;       ///< of the largest

[[noreturn]] void malformed(const std::string& what, const std::string& line) {
  throw ArmError("malformed", what + " in the trainer's line '" + ellipsize(one_line(line), 200) +
                                  "'; docs/protocol.md section 11 has its fields");
}

json parse_object(const std::string& line) {
  std::string problem;
  std::optional<json> parsed = protocol::parse_strict_json(line, problem);
  if (!parsed) malformed(problem, line);
  if (!parsed->is_object()) malformed("no object", line);
  return std::move(*parsed);
}

const json& need(const json& object, const char* key, const std::string& line) {
  const auto found = object.find(key);
  if (found == object.end()) malformed(std::string("no '") + key + "'", line);
  return *found;
}

/// A number above `low`, or one that may equal it.
double number(const json& object, const char* key, const std::string& line, double low, bool open) {
  const json& value = need(object, key, line);
  const double found = value.is_number() ? value.get<double>() : std::nan("");
  const bool fits = std::isfinite(found) && (open ? found > low : found >= low);
  if (!fits) malformed("no proper '" + std::string(key) + "'", line);
  return found;
}

std::optional<double> number_or_null(const json& object, const char* key, const std::string& line,
                                     double low, bool open) {
  if (need(object, key, line).is_null()) return std::nullopt;
  return number(object, key, line, low, open);
}

std::int64_t integer(const json& object, const char* key, const std::string& line) {
  const json& value = need(object, key, line);
  if (!value.is_number_integer()) malformed("no whole '" + std::string(key) + "'", line);
  return value.get<std::int64_t>();
}

std::vector<std::string> words_or_null(const json& object, const char* key,
                                       const std::string& line) {
  const json& value = need(object, key, line);
  std::vector<std::string> words;
  if (value.is_null()) return words;
  if (!value.is_array()) malformed("no list '" + std::string(key) + "'", line);
  for (const json& word : value) {
    if (!word.is_string()) malformed("no words in '" + std::string(key) + "'", line);
    words.push_back(word.get<std::string>());
  }
  return words;
}

[[noreturn]] void not_as_asked(const std::string& what) {
  throw ArmError("not_as_asked", one_line(what));
}

void require_as_asked(const json& ready, const ArmReady& arm, const ArmSpec& spec,
                      const std::string& line) {
  const json& numerics = need(ready, "numerics", line);
  if (numerics != spec.numerics) {
    not_as_asked("numerics " + spec.numerics + " was asked for, " + numerics.dump() + " runs");
  }
  const json& forced = need(ready, "forced", line);
  if (forced != json(spec.switches)) {
    not_as_asked("the switches " + json(spec.switches).dump() +
                 " were to be forced, the trainer forced " + forced.dump());
  }
  if ((spec.delay > 0) != (arm.delay_ns > 0)) {
    not_as_asked(spec.delay > 0 ? "a delay was asked for, none is injected"
                                : "no delay was asked for, one is injected");
  }
}

// States that leave the clock alone, or whose effect on it is looked at by itself: a GPU that works
// hard stands at its power cap. A name that we do not know counts as one that slows.
bool harmless(const std::string& reason) {
  constexpr std::array kHarmless = {"gpu_idle", "applications_clocks", "sw_power_cap", "sync_boost",
                                    "display_clocks"};
  return std::find(kHarmless.begin(), kHarmless.end(), reason) != kHarmless.end();
}

template <typename T>
std::optional<T> optional_of(const json& value, const char* key) {
  const json& found = value.at(key);
  return found.is_null() ? std::nullopt : std::optional<T>(found.get<T>());
}

}  // namespace

json to_json(const Window& window) {
  return {{"steps", window.steps},
          {"host_ns", window.host_ns},
          {"device_ns", or_null(window.device_ns)},
          {"sm_mhz", or_null(window.sm_mhz)},
          {"sm_mhz_max", or_null(window.sm_mhz_max)},
          {"power_w", or_null(window.power_w)},
          {"temperature_c", or_null(window.temperature_c)},
          {"throttle", window.throttle},
          {"other_processes", or_null(window.other_processes)}};
}

Window window_from_json(const json& value) {
  Window window;
  window.steps = value.at("steps").get<std::int64_t>();
  window.host_ns = value.at("host_ns").get<double>();
  window.device_ns = optional_of<double>(value, "device_ns");
  window.sm_mhz = optional_of<double>(value, "sm_mhz");
  window.sm_mhz_max = optional_of<double>(value, "sm_mhz_max");
  window.power_w = optional_of<double>(value, "power_w");
  window.temperature_c = optional_of<double>(value, "temperature_c");
  window.throttle = value.at("throttle").get<std::vector<std::string>>();
  window.other_processes = optional_of<std::int64_t>(value, "other_processes");
  const bool timed = window.steps > 0 && std::isfinite(window.step_ns()) && window.step_ns() > 0;
  if (!timed) throw std::runtime_error("a window without a time");
  return window;
}

ArmReady parse_ready(const std::string& line, const ArmSpec& spec) {
  const json ready = parse_object(line);
  if (need(ready, "ready", line) != true) malformed("'ready' is not true", line);
  if (const json& schema = need(ready, "schema", line); schema != kBenchSchema) {
    malformed("schema is " + schema.dump() + ", this twinrun knows " + std::to_string(kBenchSchema),
              line);
  }
  ArmReady arm;
  arm.line = ready;
  arm.step_ns = number(ready, "step_ns", line, 0, true);
  arm.delay_ns = number(ready, "delay_ns", line, 0, false);
  arm.device = need(ready, "device", line);
  if (!need(ready, "switches", line).is_object()) malformed("no object 'switches'", line);
  require_as_asked(ready, arm, spec, line);
  return arm;
}

Window parse_window(const std::string& line, std::int64_t index, std::int64_t steps) {
  const json answer = parse_object(line);
  if (integer(answer, "window", line) != index) {
    malformed("not window " + std::to_string(index), line);
  }
  Window window;
  window.steps = integer(answer, "steps", line);
  if (window.steps != steps) malformed("not " + count_of(steps, "step"), line);
  window.host_ns = number(answer, "host_ns", line, 0, true);
  window.device_ns = number_or_null(answer, "device_ns", line, 0, true);
  window.sm_mhz = number_or_null(answer, "sm_mhz", line, 0, false);
  window.sm_mhz_max = number_or_null(answer, "sm_mhz_max", line, 0, true);
  window.power_w = number_or_null(answer, "power_w", line, 0, false);
  window.temperature_c = number_or_null(answer, "temperature_c", line, -273.15, true);
  window.throttle = words_or_null(answer, "throttle", line);
  if (!need(answer, "other_processes", line).is_null()) {
    window.other_processes = integer(answer, "other_processes", line);
  }
  const json& finite = need(answer, "loss_finite", line);
  if (!finite.is_boolean()) malformed("no 'loss_finite'", line);
  if (finite != true) {
    throw ArmError("non_finite", "the loss is not finite: what is timed is no training");
  }
  return window;
}

std::string exclusion(const Window& window) {
  const bool cool = std::all_of(window.throttle.begin(), window.throttle.end(), harmless);
  if (!cool) return "throttled";
  if (window.sm_mhz && window.sm_mhz_max && !(*window.sm_mhz >= kSmClockMin * *window.sm_mhz_max)) {
    return "slow_clock";
  }
  // It counts all but the process itself, so our own that waits is among them.
  if (window.other_processes && *window.other_processes > kArmsAlive - 1) return "foreign_process";
  if (window.device_ns &&
      !(std::abs(*window.device_ns - window.host_ns) <= kClocksDifferMax * window.host_ns)) {
    return "clocks_differ";
  }
  return {};
}

}  // namespace twinrun::harness
