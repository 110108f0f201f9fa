// What `twinrun report` says to programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/cli/cli.h"
#include "harness/exit_code.h"
#include "tests/harness/report/judged_folder.h"
#include "tests/harness/report/noisy_folder.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using test::JudgedFolder;

/// The states of the records, as `--format json` has them.
std::vector<std::string> states(const JudgedFolder& out) {
  testing::internal::CaptureStdout();
  try {
    run_command_line({"report", out.path().string(), "--format", "json"});
  } catch (const EvidenceError&) {
    // Said after the report was made.
  }
  std::vector<std::string> list;
  const json report = json::parse(testing::internal::GetCapturedStdout());
  for (const json& record : report.at("records")) {
    list.push_back(record.at("state"));
  }
  return list;
}

TEST(Report, StatesOfRecordsHaveTheirOwnWords) {
  JudgedFolder out;
  out.b.manifest["status"] = "failed";
  out.write();
  EXPECT_EQ(states(out), (std::vector<std::string>{"holds", "unfit", "holds"}));
  test::SyntheticRun(9, "run-a").write(out.path("a"));
  std::filesystem::remove_all(out.path("controls/seed-plus-one"));
  EXPECT_EQ(states(out), (std::vector<std::string>{"broken", "unfit", "missing"}));
}

TEST(Report, TheCalibrationHasAStateToo) {
  const auto calibration = [](const std::filesystem::path& verdict) {
    testing::internal::CaptureStdout();
    try {
      run_command_line({"report", verdict.string(), "--format", "json"});
    } catch (const EvidenceError&) {
      // Said after the report was made.
    }
    return json::parse(testing::internal::GetCapturedStdout()).at("calibration");
  };
  JudgedFolder bits;
  bits.write();
  EXPECT_TRUE(calibration(bits.path()).is_null());
  test::NoisyFolder noisy;
  noisy.write();
  EXPECT_EQ(calibration(noisy.path()).at("state"), "holds");
  test::change_file(noisy.calibration(), [](const std::string& text) { return text + "x"; });
  EXPECT_EQ(calibration(noisy.path()).at("state"), "broken");
  std::filesystem::remove(noisy.calibration());
  EXPECT_EQ(calibration(noisy.path()).at("state"), "missing");
}

}  // namespace
}  // namespace twinrun::harness
