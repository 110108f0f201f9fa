// `twinrun calibrate`, and `verify` of runs that promise no bits.

#include <gmock/gmock.h>

#include "tests/e2e/toy_case.h"

namespace twinrun {
namespace {

using nlohmann::json;
using testing::HasSubstr;

namespace fs = std::filesystem;

class Calibrate : public ToyCase {
 protected:
  Calibrate() { declare("{alpha: 0.25, envelope_runs: 3, calibration_runs: 3, window_steps: 4}"); }

  void declare(const std::string& statistics, const std::string& params = "promise: none") const {
    this->params("{" + params + "}");
    write("case.yaml", read("case.yaml") + "statistics: " + statistics + "\n");
  }

  ProcessResult calibrate(const std::vector<std::string>& args = {}) const {
    std::vector<std::string> all = {"calibrate", "case.yaml", "--work", "work", "--quiet"};
    all.insert(all.end(), args.begin(), args.end());
    return twinrun(all);
  }
  ProcessResult accept() const { return calibrate({"--accept", "--why", "test", "--who", "me"}); }

  void calibrated() const {
    ASSERT_EQ(calibrate().exit_code, 0);
    ASSERT_EQ(accept().exit_code, 0);
  }

  /// The one file in calibration/ whose name ends so.
  fs::path calibration(const std::string& end = ".json") const {
    for (const auto& entry : fs::directory_iterator(path("calibration"))) {
      if (entry.path().string().ends_with(end)) return entry.path();
    }
    return {};
  }

  void expect(const ProcessResult& result, int exit_code, const std::string& name,
              const std::string& reason) const {
    EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
    EXPECT_EQ(check(verdict(), name).at("reason"), reason) << result.out;
  }
};

TEST_F(Calibrate, RunsAreJudgedOnceSomebodyHasAcceptedTheCalibration) {
  ASSERT_EQ(calibrate().exit_code, 0);
  expect(verify(), 3, "calibration", "uncalibrated");
  fs::remove_all(path("out"));
  ASSERT_EQ(accept().exit_code, 0);
  const ProcessResult green = verify();
  expect(green, 0, "calibration", "within_envelope");
  EXPECT_THAT(green.out, HasSubstr("run a: p = 1, score 0\n")) << "on the centre in every step";
  EXPECT_EQ(check(verdict(), "equivalence").at("reason"), "equivalent");
  EXPECT_EQ(verdict().at("statistics").at("candidates").size(), 2u);
  // The stored runs give the same again.
  EXPECT_EQ(twinrun({"compare", "out/a", "out/b"}).exit_code, 0);
}

TEST_F(Calibrate, AMarginBelowWhatCanBeShownIsSaidBeforeTheRuns) {
  declare(
      "{alpha: 0.25, envelope_runs: 3, calibration_runs: 3, window_steps: 4, equivalence: "
      "{margins: {final_loss_nats: 1.0e-12}}}");
  calibrated();
  EXPECT_THAT(verify().err, HasSubstr("too much for a green verdict"));
}

TEST_F(Calibrate, CanBeDoneInParts) {
  const ProcessResult first = calibrate({"--runs", "2"});
  EXPECT_EQ(first.exit_code, 0);
  EXPECT_THAT(first.out, HasSubstr("4 runs to go"));
  EXPECT_FALSE(fs::exists(path("calibration")));
  const std::string begun = read("work/runs.jsonl");
  EXPECT_EQ(calibrate().exit_code, 0);
  EXPECT_EQ(read("work/runs.jsonl").substr(0, begun.size()), begun);
  EXPECT_FALSE(calibration(".pending.json").empty());
}

TEST_F(Calibrate, APipelineAcceptsNone) {
  ASSERT_EQ(calibrate().exit_code, 0);
  ProcessOptions options = command({"calibrate", "case.yaml", "--accept", "--why", "x"});
  options.environment = {{"CI", "true"}};
  const ProcessResult result = run_process(options);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("CI is set"));
  EXPECT_FALSE(calibration(".pending.json").empty());
}

TEST_F(Calibrate, WhatNoRoundingMovesIsFoundWithoutIt) {
  calibrated();
  expect(verify({"--inject", "b:lr@3"}), 1, "twin", "discrete_differs");
  EXPECT_EQ(verdict().at("comparisons").at(0).at("first").at("step"), 3);
  EXPECT_EQ(verdict().at("comparisons").at(0).at("first").at("field"), "lr");
}

TEST_F(Calibrate, WhatIsNotFiniteIsNeverGreen) {
  calibrated();
  EXPECT_EQ(verify({"--inject", "b:nan@2"}).exit_code, 1);
  fs::remove_all(path("out"));
  EXPECT_EQ(verify({"--inject", "both:nan@2"}).exit_code, 1);
  fs::remove_all(path("out"));
  expect(verify({"--inject", "both:nan@6"}), 3, "equivalence", "non_finite");  // behind the window
}

TEST_F(Calibrate, ARunThatMovedFurtherThanAnyLiesOutside) {
  calibrated();
  // The toy's runs do not scatter, so that one ULP is more than any calibrated run has.
  expect(verify({"--inject", "b:loss-ulp@3"}), 1, "calibration", "outside_envelope");
  EXPECT_THAT(check(verdict(), "calibration").at("message").get<std::string>(),
              HasSubstr("loss at step 3"));
}

TEST_F(Calibrate, OtherSettingsBeginANewSeries) {
  calibrated();
  expect(verify({"--set", "statistics.alpha=0.3"}), 3, "calibration", "other_settings");
  const ProcessResult again = calibrate({"--set", "statistics.alpha=0.3"});
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.err, HasSubstr("/statistics/alpha"));
}

TEST_F(Calibrate, ACalibrationThatWasEditedOrCutIsNoEvidence) {
  calibrated();
  const std::string name = fs::relative(calibration(), folder_.path()).string();
  const std::string text = read(name);
  std::string edited = text;
  edited.replace(edited.find("\"scores\""), 8, "\"score_\"");
  write(name, edited);
  expect(verify(), 5, "calibration", "calibration_edited");
  fs::remove_all(path("out"));
  write(name, text.substr(0, text.size() / 2));
  expect(verify(), 5, "calibration", "calibration_malformed");
}

TEST_F(Calibrate, WhatTheCallerCanFixIsSaid) {
  struct Case {
    std::string statistics, params, message;
  };
  const std::vector<Case> cases = {
      {"{alpha: 0.01, calibration_runs: 98}", "promise: none", "it takes 99 at least"},
      {"{alpha: 0}", "promise: none", "alpha"},
      {"{window_steps: 7}", "promise: none", "train.steps is 6"},
      {"{restore_at: [0.9, 0.5]}", "promise: none", "above the one before"},
      {"{equivalence: {margins: {loss: 1}}}", "promise: none", "loss"},
      {"{envelope_runs: 2}", "promise: none", "envelope_runs"}};
  for (const Case& wrong : cases) {
    declare(wrong.statistics, wrong.params);
    const ProcessResult result = calibrate();
    EXPECT_EQ(result.exit_code, 2) << wrong.statistics;
    EXPECT_THAT(result.err, HasSubstr(wrong.message));
  }
  params("{}");  // bits that repeat
  const ProcessResult promised = calibrate();
  EXPECT_EQ(promised.exit_code, 2);
  EXPECT_THAT(promised.err, HasSubstr("nothing to calibrate"));
  EXPECT_EQ(calibrate({"--why", "x"}).exit_code, 2);
  EXPECT_EQ(calibrate({"--runs", "0"}).exit_code, 2);
  EXPECT_EQ(accept().exit_code, 2);  // none is pending
}

TEST_F(Calibrate, ARunThatFailsMakesNone) {
  declare("{alpha: 0.25, envelope_runs: 3, calibration_runs: 3, window_steps: 4}",
          "promise: none, fail: \"out of memory\"");
  const ProcessResult result = calibrate();
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("run calibrate-0-start"));
  EXPECT_FALSE(fs::exists(path("calibration")));
}

TEST_F(Calibrate, ATrainerWithoutCheckpointsCannotBeRestored) {
  declare(
      "{alpha: 0.25, envelope_runs: 3, calibration_runs: 3, window_steps: 2, restore_at: [0.5]}");
  const ProcessResult result = calibrate();
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("the trainer wrote no checkpoint of step 3"));
  EXPECT_FALSE(fs::exists(path("calibration")));
}

TEST_F(Calibrate, ATrainerWhoseBitsRepeatNeedsNone) {
  declare("{alpha: 0.25, envelope_runs: 3, calibration_runs: 3, window_steps: 4}", "");
  const ProcessResult result = calibrate();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("promises"));
}

}  // namespace
}  // namespace twinrun
