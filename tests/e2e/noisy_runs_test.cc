// Runs that scatter from the first step on: calibrated, judged, told, passed on.
#include <gmock/gmock.h>

#include "tests/e2e/toy_case.h"

namespace twinrun {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

namespace fs = std::filesystem;

class NoisyRuns : public ToyCase {
 protected:
  /// The noise hangs on the name of the run and this seed, so that every verdict repeats.
  NoisyRuns() {
    params("{noise_ppm: 1}");
    std::string text = read("case.yaml");
    text.replace(text.find("deterministic"), 13, "fast\nshuffle_reductions: 1");
    text.replace(text.find("steps: 6"), 8, "steps: 20");
    write("case.yaml", text +
                           "statistics: {alpha: 0.1, envelope_runs: 5, calibration_runs: 9, "
                           "window_steps: 6}\n");
  }

  void calibrated() const {
    ASSERT_EQ(calibrate({"--quiet"}), 0);
    ASSERT_EQ(calibrate({"--accept", "--why", "scatter of a toy", "--who", "Ada"}), 0);
  }
  int calibrate(const std::vector<std::string>& args) const {
    std::vector<std::string> all = {"calibrate", "case.yaml", "--work", "work"};
    all.insert(all.end(), args.begin(), args.end());
    return twinrun(all).exit_code;
  }
  void judged(int exit_code, const std::string& name, const std::string& reason,
              const std::vector<std::string>& args = {}) const {
    fs::remove_all(path("out"));
    const ProcessResult result = verify(args);
    EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
    EXPECT_EQ(check(verdict(), name).at("reason"), reason) << result.out;
  }
  std::string report(const std::string& format) const {
    const ProcessResult result = twinrun({"report", "out/verdict.json", "--format", format});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  }
  /// `bundle`, then `bundle --check`: its exit code.
  int passed_on() const {
    EXPECT_EQ(twinrun({"bundle", "out", "--out", "x.tar"}).exit_code, 0);
    return twinrun({"bundle", "--check", "x.tar"}).exit_code;
  }
};

TEST_F(NoisyRuns, ACleanRunIsGreenAndToldAndPassedOn) {
  calibrated();
  judged(0, "calibration", "within_envelope");
  EXPECT_EQ(check(verdict(), "equivalence").at("reason"), "equivalent");
  const json losses = verdict().at("statistics").at("windows").at(0).at("candidates");
  EXPECT_NE(losses.at("a"), losses.at("b")) << "no noise";
  EXPECT_GT(verdict().at("statistics").at("scores").at(0), 0);
  for (const char* format : {"html", "md"}) {
    EXPECT_THAT(report(format), HasSubstr("no detectable difference at alpha = 0.1, equivalent "
                                          "within 0.001 nats a token"));
    EXPECT_THAT(report(format), HasSubstr("Ada, "));
    EXPECT_THAT(report(format), HasSubstr("scatter of a toy"));
  }
  EXPECT_THAT(report("junit"), HasSubstr("failures=\"0\" errors=\"0\""));
  EXPECT_EQ(passed_on(), 0);
}

TEST_F(NoisyRuns, AFaultThatOnlyMovesLossesLiesOutside) {
  calibrated();
  judged(1, "calibration", "outside_envelope", {"--inject", "b:dropout-unseeded@4"});
  EXPECT_THAT(report("html"), HasSubstr("Run b lies outside the envelope"));
  EXPECT_THAT(report("html"), Not(HasSubstr("Run a lies outside the envelope")));
  EXPECT_THAT(report("junit"), HasSubstr("<failure type=\"outside_envelope\""));
  EXPECT_EQ(passed_on(), 1);
}

TEST_F(NoisyRuns, AFaultInWhatNoRoundingMovesIsNamedAtItsStep) {
  calibrated();
  judged(1, "twin", "discrete_differs", {"--inject", "b:data-order@3"});
  EXPECT_EQ(verdict().at("comparisons").at(0).at("first").at("step"), 3);
  EXPECT_EQ(passed_on(), 1);
  judged(1, "calibration", "discrete_differs", {"--inject", "both:lr@3"});
  EXPECT_THAT(report("md"), HasSubstr("Another training than the calibrated one"));
  EXPECT_EQ(passed_on(), 1);
}

TEST_F(NoisyRuns, WithoutCalibrationNothingIsSaid) {
  judged(3, "calibration", "uncalibrated");
  EXPECT_THAT(report("html"), HasSubstr("twinrun calibrate CASE.yaml"));
  EXPECT_THAT(report("junit"), HasSubstr("<error type=\"uncalibrated\""));
  EXPECT_EQ(passed_on(), 3);
}

TEST_F(NoisyRuns, ACalibrationThatWasChangedBesideTheVerdictIsFive) {
  calibrated();
  judged(0, "calibration", "within_envelope");
  for (const auto& entry : fs::directory_iterator(path("out/calibration"))) {
    const std::string name = fs::relative(entry.path(), folder_.path()).string();
    std::string text = read(name);
    write(name, text.replace(text.find("\"scores\""), 8, "\"score_\""));
  }
  const ProcessResult result = twinrun({"report", "out/verdict.json", "--format", "html"});
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_THAT(result.out, HasSubstr("The evidence beside this verdict does not hold."));
  EXPECT_EQ(twinrun({"bundle", "out"}).exit_code, 5);
}

}  // namespace
}  // namespace twinrun
