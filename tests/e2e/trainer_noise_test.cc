// twinrun-train in `fast` with rounding noise: calibrated with windows behind restored checkpoints,
// and judged without equal bits.

#include <gmock/gmock.h>

#include "tests/e2e/tiny_case.h"

namespace twinrun {
namespace {

using nlohmann::json;
using testing::HasSubstr;

namespace fs = std::filesystem;

class TrainerNoise : public TinyCase {
 protected:
  TrainerNoise() {
    std::string text = read("case.yaml");
    text.replace(text.find("steps: 3"), 8, "steps: 12");
    text.replace(text.find("numerics: deterministic"), 23, "numerics: fast\nshuffle_reductions: 5");
    write("case.yaml", text +
                           "statistics: {alpha: 0.1, envelope_runs: 4, calibration_runs: 9, "
                           "window_steps: 4, restore_at: [0.5]}\n");
  }

  void calibrated() const {
    const ProcessResult made =
        twinrun({"calibrate", "case.yaml", "--work", "work", "--jobs", "2", "--quiet"});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    ASSERT_EQ(
        twinrun({"calibrate", "case.yaml", "--accept", "--why", "x", "--who", "me"}).exit_code, 0);
  }
};

TEST_F(TrainerNoise, CleanRunsAreScoredInEveryWindow) {
  calibrated();
  const ProcessResult result = verify();
  const json statistics = verdict().at("statistics");
  // With so few runs and alpha 0.1 a clean run is outside now and then; the rest is certain.
  const std::string reason = check(verdict(), "calibration").at("reason");
  EXPECT_TRUE(reason == "within_envelope" || reason == "outside_envelope") << result.out;
  EXPECT_EQ(result.exit_code, reason == "within_envelope" ? 0 : 1) << result.out;
  EXPECT_EQ(check(verdict(), "twin").at("reason"), "discrete_equal");
  EXPECT_EQ(check(verdict(), "controls").at("reason"), "passed");
  EXPECT_EQ(check(verdict(), "equivalence").at("reason"), "equivalent");
  ASSERT_EQ(statistics.at("windows").size(), 2u);
  EXPECT_EQ(statistics.at("windows").at(1).at("name"), "restored-6");
  ASSERT_EQ(statistics.at("candidates").size(), 2u);
  for (const json& candidate : statistics.at("candidates")) {
    EXPECT_GT(candidate.at("p"), 0);
    EXPECT_TRUE(candidate.at("score").is_number());
  }
  // There is noise, in the run and in the window that began from one checkpoint.
  EXPECT_NE(read("out/a/steps.jsonl"), read("out/b/steps.jsonl"));
  EXPECT_NE(read("out/windows/a-restored-6/steps.jsonl"),
            read("out/windows/b-restored-6/steps.jsonl"));
  EXPECT_EQ(twinrun({"compare", "out/a", "out/b"}).exit_code, result.exit_code);
}

TEST_F(TrainerNoise, AFaultBehindACheckpointIsFoundInItsWindow) {
  calibrated();
  const ProcessResult result = verify({"--inject", "b:lora-alpha@8"});
  EXPECT_EQ(result.exit_code, 1) << result.out;
  EXPECT_EQ(check(verdict(), "calibration").at("reason"), "outside_envelope");
  const json found = verdict().at("statistics").at("candidates").at(1);
  EXPECT_EQ(found.at("p"), 0.1);
  EXPECT_EQ(found.at("window"), "restored-6");
  EXPECT_GE(found.at("step"), 8);
}

TEST_F(TrainerNoise, WithoutTheCheckpointThereIsNoVerdict) {
  calibrated();
  for (const auto& entry : fs::directory_iterator(path("calibration"))) {
    if (entry.is_directory()) fs::remove_all(entry.path());
  }
  const ProcessResult result = verify();
  EXPECT_EQ(result.exit_code, 3) << result.out;
  EXPECT_EQ(check(verdict(), "calibration").at("reason"), "window_run_failed");
}

TEST_F(TrainerNoise, ACalibrationOfAnotherModelOrMachineIsNoneOfThisRun) {
  calibrated();
  const ProcessResult result = verify({"--set", "lora.rank=2"});
  EXPECT_EQ(result.exit_code, 3) << result.out;
  EXPECT_EQ(check(verdict(), "calibration").at("reason"), "uncalibrated");
}

}  // namespace
}  // namespace twinrun
