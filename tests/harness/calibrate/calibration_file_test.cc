#include "harness/calibrate/calibration_file.h"

#include <gtest/gtest.h>

#include <functional>

#include "harness/protocol/canonical_json.h"
#include "tests/harness/calibrate/noisy_runs.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

class CalibrationFileTest : public testing::Test {
 protected:
  CalibrationFileTest() : calibration_(test::noisy_calibration(folder_.path())) {
    file_ = calibration_file(folder_.path(), fingerprint(calibration_.key));
    test::write_file(file_, calibration_text(calibration_));
  }

  /// What is wrong with the file; empty if nothing is.
  std::string reason() const {
    const auto read = read_calibration(file_);
    const auto* problem = std::get_if<CalibrationProblem>(&read);
    return problem == nullptr ? "" : problem->reason;
  }

  /// Changes the file as somebody would who knows about its SHA-256.
  std::string reason_with(const std::function<void(json&)>& change) const {
    json object = json::parse(calibration_text(calibration_));
    change(object);
    object.erase("sha256");
    object["sha256"] = protocol::to_hex(protocol::canonical_digest(object));
    test::write_file(file_, object.dump());
    return reason();
  }

  test::TempFolder folder_;
  Calibration calibration_;
  std::filesystem::path file_;
};

TEST_F(CalibrationFileTest, ComesBackAsItWasWritten) {
  const auto read = read_calibration(file_);
  ASSERT_TRUE(std::holds_alternative<Calibration>(read));
  EXPECT_EQ(calibration_text(std::get<Calibration>(read)), calibration_text(calibration_));
  EXPECT_EQ(std::get<Calibration>(read).scores, calibration_.scores);
}

TEST_F(CalibrationFileTest, OneThatIsNotThereIsMissing) {
  std::filesystem::remove(file_);
  EXPECT_EQ(reason(), "calibration_missing");
}

TEST_F(CalibrationFileTest, CutAnywhereItIsMalformed) {
  const std::string text = calibration_text(calibration_);
  for (std::size_t size = 0; size + 2 < text.size(); size += 97) {
    test::write_file(file_, text.substr(0, size));
    EXPECT_EQ(reason(), "calibration_malformed") << size;
  }
}

TEST_F(CalibrationFileTest, AnyChangedDigitIsSeen) {
  const std::string text = calibration_text(calibration_);
  int changed = 0;
  for (std::size_t at = 0; at < text.size(); at += 41) {
    if (text[at] < '0' || text[at] > '8') continue;
    std::string edited = text;
    ++edited[at];
    test::write_file(file_, edited);
    EXPECT_NE(reason(), "") << at;
    ++changed;
  }
  EXPECT_GT(changed, 20);
}

TEST_F(CalibrationFileTest, OneOfAnotherKeyIsToldByItsName) {
  const auto other = calibration_file(folder_.path(), "0123456789abcdef");
  std::filesystem::rename(file_, other);
  file_ = other;
  EXPECT_EQ(reason(), "calibration_key_mismatch");
}

TEST_F(CalibrationFileTest, WhatItSaysHasToFitTogether) {
  EXPECT_EQ(reason_with([](json&) {}), "");
  EXPECT_EQ(reason_with([](json& file) { file["schema"] = 2; }), "calibration_newer_schema");
  const std::vector<std::function<void(json&)>> changes = {
      [](json& file) { file.erase("scores"); },
      [](json& file) { file["scores"].erase(0); },
      [](json& file) { file["scores"][0] = 1e9; },
      [](json& file) { file["scores"][0] = nullptr; },
      [](json& file) { file["statistics"]["alpha"] = 0.2; },
      [](json& file) { file["windows"] = json::array(); },
      [](json& file) { file["windows"][0]["loss"]["width"][2] = 0; },
      [](json& file) { file["windows"][0]["loss"]["centre"].erase(0); },
      [](json& file) { file["windows"][0]["last_step"] = 4; },
      [](json& file) { file["windows"][0]["first_step"] = 2; },
      [](json& file) { file["windows"][0]["discrete"].erase(0); },
      [](json& file) { file["windows"][0]["checkpoint"] = "x"; },
      [](json& file) { file["key"] = 3; },
      [](json& file) { file["format"] = "twinrun-inference"; },
      [](json& file) { file.erase("schema"); }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    EXPECT_EQ(reason_with(changes[i]), "calibration_malformed") << i;
  }
}

}  // namespace
}  // namespace twinrun::harness
