#include "harness/bench/window.h"

#include <gmock/gmock.h>

namespace twinrun::harness {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const ArmSpec kFast{.name = "fast", .numerics = "fast"};

json ready_line() {
  return {{"ready", true},
          {"schema", 1},
          {"numerics", "fast"},
          {"arithmetic", "x/1"},
          {"device", {{"type", "cpu"}, {"name", nullptr}}},
          {"versions", json::object()},
          {"switches", json::object()},
          {"forced", json::object()},
          {"warmup_steps", 20},
          {"step_ns", 5120330},
          {"delay_ns", 0}};
}

json window_line() {
  return {{"window", 3},          {"steps", 100},
          {"host_ns", 512033000}, {"device_ns", nullptr},
          {"sm_mhz", nullptr},    {"sm_mhz_max", nullptr},
          {"power_w", nullptr},   {"temperature_c", nullptr},
          {"throttle", nullptr},  {"other_processes", nullptr},
          {"loss_finite", true}};
}

std::string reason_of_window(const json& line) {
  try {
    parse_window(line.dump(), 3, 100);
  } catch (const ArmError& error) {
    return error.reason;
  }
  return "accepted";
}

std::string reason_of_ready(const json& line, const ArmSpec& spec = kFast) {
  try {
    parse_ready(line.dump(), spec);
  } catch (const ArmError& error) {
    return error.reason;
  }
  return "accepted";
}

json changed(json line, const std::string& key, const json& value) {
  line[key] = value;
  return line;
}

TEST(ParseReady, TakesWhatTheProtocolShows) {
  const ArmReady ready = parse_ready(ready_line().dump(), kFast);
  EXPECT_EQ(ready.step_ns, 5120330);
  EXPECT_EQ(ready.device.at("type"), "cpu");
}

TEST(ParseReady, WhatIsNotAsAskedIsRefused) {
  EXPECT_EQ(reason_of_ready(changed(ready_line(), "numerics", "deterministic")), "not_as_asked");
  EXPECT_EQ(reason_of_ready(changed(ready_line(), "forced", {{"x", true}})), "not_as_asked");
  EXPECT_EQ(reason_of_ready(changed(ready_line(), "delay_ns", 5)), "not_as_asked");
  EXPECT_EQ(reason_of_ready(ready_line(),
                            {.name = "on-x", .numerics = "fast", .switches = {{"x", true}}}),
            "not_as_asked");
  EXPECT_EQ(reason_of_ready(ready_line(), {.name = "d", .numerics = "fast", .delay = 0.03}),
            "not_as_asked");
}

TEST(ParseReady, AFieldThatIsMissingOrWrongIsRefused) {
  const json whole = ready_line();
  for (const auto& [key, value] : whole.items()) {
    if (key == "arithmetic" || key == "versions" || key == "warmup_steps") continue;
    json without = whole;
    without.erase(key);
    EXPECT_EQ(reason_of_ready(without), "malformed") << key;
  }
  EXPECT_EQ(reason_of_ready(changed(ready_line(), "schema", 2)), "malformed");
  EXPECT_EQ(reason_of_ready(changed(ready_line(), "ready", 1)), "malformed");
  for (const json& bad : {json(0), json(-1), json(nullptr), json("5")}) {
    EXPECT_EQ(reason_of_ready(changed(ready_line(), "step_ns", bad)), "malformed") << bad;
  }
}

TEST(ParseWindow, TakesWhatTheProtocolShows) {
  const Window window = parse_window(window_line().dump(), 3, 100);
  EXPECT_EQ(window.steps, 100);
  EXPECT_EQ(window.step_ns(), 5120330);
  EXPECT_EQ(exclusion(window), "");
}

TEST(ParseWindow, OfTwoClocksTheDevicesCounts) {
  const json line = changed(window_line(), "device_ns", 511000000);
  EXPECT_EQ(parse_window(line.dump(), 3, 100).step_ns(), 5110000);
}

TEST(ParseWindow, ATimeThatIsNoneIsRefused) {
  for (const json& bad :
       {json(0), json(-512033000), json(nullptr), json("512033000"), json(true)}) {
    EXPECT_EQ(reason_of_window(changed(window_line(), "host_ns", bad)), "malformed") << bad;
    if (bad.is_null()) continue;
    EXPECT_EQ(reason_of_window(changed(window_line(), "device_ns", bad)), "malformed") << bad;
  }
  for (const char* bad : {"NaN", "Infinity", "-Infinity", "1e999", "-nan"}) {
    std::string text = window_line().dump();
    text.replace(text.find("512033000"), 9, bad);
    EXPECT_THROW(parse_window(text, 3, 100), ArmError) << bad;
  }
}

TEST(ParseWindow, AnotherNumberOfStepsOrWindowIsRefused) {
  EXPECT_EQ(reason_of_window(changed(window_line(), "steps", 99)), "malformed");
  EXPECT_EQ(reason_of_window(changed(window_line(), "steps", 100.0)), "malformed");
  EXPECT_EQ(reason_of_window(changed(window_line(), "window", 2)), "malformed");
}

TEST(ParseWindow, ALossThatIsNotFiniteOrUnsaidIsRefused) {
  EXPECT_EQ(reason_of_window(changed(window_line(), "loss_finite", false)), "non_finite");
  EXPECT_EQ(reason_of_window(changed(window_line(), "loss_finite", nullptr)), "malformed");
}

TEST(ParseWindow, EveryFieldHasToBeThere) {
  const json whole = window_line();
  for (const auto& [key, value] : whole.items()) {
    json without = whole;
    without.erase(key);
    EXPECT_EQ(reason_of_window(without), "malformed") << key;
  }
}

TEST(ParseWindow, WhatIsNoJsonIsToldOnOneLineAndCut) {
  try {
    parse_window("\x1b[31m" + std::string(5000, 'x'), 1, 1);
    FAIL();
  } catch (const ArmError& error) {
    EXPECT_LT(std::string(error.what()).size(), 400u);
    EXPECT_THAT(error.what(), testing::Not(HasSubstr("\x1b")));
  }
}

TEST(Window, SurvivesItsLine) {
  Window window = parse_window(window_line().dump(), 3, 100);
  window.device_ns = 1.25e8;
  window.throttle = {"sw_thermal"};
  window.other_processes = 2;
  EXPECT_EQ(to_json(window_from_json(to_json(window))), to_json(window));
}

TEST(Window, ALineWithoutATimeIsNone) {
  const json line = to_json(parse_window(window_line().dump(), 3, 100));
  for (const char* key : {"steps", "host_ns"}) {
    EXPECT_THROW(window_from_json(changed(line, key, 0)), std::exception) << key;
    EXPECT_THROW(window_from_json(changed(line, key, nullptr)), std::exception) << key;
  }
}

TEST(Exclusion, ClocksMayDifferByOnePercent) {
  Window window = parse_window(window_line().dump(), 3, 100);
  window.device_ns = 0.9901 * window.host_ns;
  EXPECT_EQ(exclusion(window), "");
  window.device_ns = 0.9899 * window.host_ns;
  EXPECT_EQ(exclusion(window), "clocks_differ");
}

TEST(Exclusion, AClockThatIsAtThreeQuartersCounts) {
  Window window = parse_window(window_line().dump(), 3, 100);
  window.sm_mhz_max = 2000;
  window.sm_mhz = 1500;
  EXPECT_EQ(exclusion(window), "");
  window.sm_mhz = 1499;
  EXPECT_EQ(exclusion(window), "slow_clock");
}

}  // namespace
}  // namespace twinrun::harness
