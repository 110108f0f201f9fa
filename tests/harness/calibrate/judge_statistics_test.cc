#include "harness/calibrate/judge_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tests/harness/calibrate/noisy_runs.h"

namespace twinrun::harness {
namespace {

using test::noisy_run;
using test::SyntheticRun;
using testing::HasSubstr;

class JudgeStatisticsTest : public testing::Test {
 protected:
  JudgeStatisticsTest() : calibration_(test::noisy_calibration(folder_.path())) {
    write(calibration_);
  }

  void write(const Calibration& calibration) const {
    test::write_file(file(), calibration_text(calibration));
  }
  std::filesystem::path file() const {
    return calibration_file(folder_.path(), fingerprint(calibration_.key));
  }

  /// Two noisy runs, of which b is changed; a run with another seed as control.
  StatisticsReport judge(const std::function<void(SyntheticRun&)>& change_b = {}) {
    SyntheticRun a = noisy_run("a"), b = noisy_run("b"), control = noisy_run("control", 0.05);
    if (change_b) change_b(b);
    a.write(path("a"));
    b.write(path("b"));
    control.write(path("control"));
    runs_ = {read_run(path("a")), read_run(path("b")), read_run(path("control"))};
    return judge_statistics(
        {file(), {{"a", &runs_[0], path("w")}, {"b", &runs_[1], path("w")}}, &runs_[2]});
  }

  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }

  test::TempFolder folder_;
  Calibration calibration_;
  std::vector<RunView> runs_;
};

void expect(const Check& check, Verdict verdict, const std::string& reason) {
  EXPECT_EQ(to_string(check.verdict), to_string(verdict)) << check.message;
  EXPECT_EQ(check.reason, reason) << check.message;
}

TEST_F(JudgeStatisticsTest, RunsThatScatterAsTheCalibratedOnesLieWithin) {
  const StatisticsReport report = judge();
  expect(report.calibration, Verdict::kReproduced, "within_envelope");
  ASSERT_EQ(report.candidates.size(), 2u);
  for (const CandidateScore& candidate : report.candidates) EXPECT_GT(candidate.p, 0.1);
  ASSERT_TRUE(report.control);
  EXPECT_TRUE(report.control->passed) << report.control->message;
}

TEST_F(JudgeStatisticsTest, TheCalibrationSaysWhatItWouldHaveSeen) {
  const StatisticsReport report = judge();
  ASSERT_EQ(report.detection.size(), 2u);
  const Detection loss = report.detection.front();
  // Of a run that scatters besides: twice as much is outside, a hundredth of it is not.
  const auto shifted = [&](double share) {
    return judge([&](SyntheticRun& run) {
             for (auto& step : run.record.steps)
               step.loss += static_cast<float>(share * loss.shift);
           })
        .calibration.reason;
  };
  EXPECT_EQ(shifted(2.5), "outside_envelope");
  EXPECT_EQ(shifted(0.01), "within_envelope");
}

TEST_F(JudgeStatisticsTest, ARunThatDriftsLiesOutsideAtItsStep) {
  const StatisticsReport report = judge([](SyntheticRun& run) {
    for (std::size_t i = 2; i < run.record.steps.size(); ++i) run.record.steps[i].loss *= 1.001f;
  });
  expect(report.calibration, Verdict::kNotReproduced, "outside_envelope");
  EXPECT_THAT(report.calibration.message, HasSubstr("run b"));
  EXPECT_EQ(report.candidates.at(1).worst.channel, "loss");
  EXPECT_GE(report.candidates.at(1).worst.step, 3);
  EXPECT_EQ(report.candidates.at(1).p, 0.1);
}

TEST_F(JudgeStatisticsTest, WhatIsNotFiniteNeverPasses) {
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const StatisticsReport report =
        judge([value](SyntheticRun& run) { run.record.steps[3].grad_norm = value; });
    expect(report.calibration, Verdict::kNotReproduced, "outside_envelope");
    EXPECT_EQ(report.candidates.at(1).worst.step, 4);
    EXPECT_EQ(report.candidates.at(1).worst.channel, "grad_norm");
  }
}

TEST_F(JudgeStatisticsTest, FinalLossesWithinTheMarginAreEquivalent) {
  const StatisticsReport report = judge();
  expect(report.equivalence, Verdict::kReproduced, "equivalent");
  ASSERT_EQ(report.equivalences.size(), 1u);
  EXPECT_EQ(report.equivalences[0].n, 8);
  EXPECT_EQ(report.equivalences[0].outcome, "equivalent");
}

TEST_F(JudgeStatisticsTest, FinalLossesFarOutsideAreNot) {
  const auto shift = [](float by) {
    return [by](SyntheticRun& run) {
      for (auto& step : run.record.steps) step.loss += by;
    };
  };
  expect(judge(shift(0.01f)).equivalence, Verdict::kNotReproduced, "not_equivalent");
  expect(judge(shift(-0.01f)).equivalence, Verdict::kNotReproduced, "not_equivalent");
  // Neither shown to be the same nor to be another.
  expect(judge(shift(0.001f)).equivalence, Verdict::kInconclusive, "consistent");
}

TEST_F(JudgeStatisticsTest, AFinalLossThatIsNotFiniteIsNoEquivalence) {
  const StatisticsReport report = judge([](SyntheticRun& run) {
    run.record.steps[7].loss = std::numeric_limits<float>::quiet_NaN();
  });
  expect(report.equivalence, Verdict::kInvalid, "non_finite");
  EXPECT_THAT(report.equivalence.message, HasSubstr("not finite"));
}

TEST_F(JudgeStatisticsTest, AnotherBatchThanTheCalibratedRunsHadIsNamed) {
  const StatisticsReport report =
      judge([](SyntheticRun& run) { run.record.steps[1].batch = protocol::sha256("x"); });
  expect(report.calibration, Verdict::kNotReproduced, "discrete_differs");
  EXPECT_THAT(report.calibration.message, HasSubstr("step 2"));
}

TEST_F(JudgeStatisticsTest, WithoutACalibrationNothingIsConcluded) {
  std::filesystem::remove(file());
  const StatisticsReport report = judge();
  expect(report.calibration, Verdict::kInconclusive, "uncalibrated");
  EXPECT_THAT(report.calibration.message, HasSubstr("15 short runs"));
  EXPECT_FALSE(report.control);
}

TEST_F(JudgeStatisticsTest, OtherSettingsAreAnotherSeries) {
  Calibration other = calibration_;
  other.settings.alpha = 0.2;
  write(other);
  expect(judge().calibration, Verdict::kInconclusive, "other_settings");
}

TEST_F(JudgeStatisticsTest, ADamagedCalibrationIsNoEvidence) {
  test::write_file(file(), calibration_text(calibration_).substr(0, 300));
  expect(judge().calibration, Verdict::kEvidenceInvalid, "calibration_malformed");
}

TEST_F(JudgeStatisticsTest, ACaseThatDeclaresNothingIsNotJudged) {
  SyntheticRun a = noisy_run("a");
  a.config.judgement.erase("statistics");
  a.write(path("a"));
  const RunView run = read_run(path("a"));
  expect(judge_statistics({file(), {{"a", &run, {}}}, nullptr}).calibration, Verdict::kInconclusive,
         "not_declared");
}

TEST_F(JudgeStatisticsTest, AnEnvelopeThatDoesNotSeeAnotherSeedIsSaidSo) {
  // As wide as the losses themselves: whatever comes lies within.
  Calibration wide = calibration_;
  for (auto* channel : {&wide.windows[0].loss, &wide.windows[0].grad_norm}) {
    for (double& width : channel->width) width = 100;
  }
  write(wide);
  const StatisticsReport report = judge();
  ASSERT_TRUE(report.control);
  EXPECT_TRUE(report.control->ran);
  EXPECT_FALSE(report.control->passed);
}

/// A calibration with a second window, and short runs of it.
class JudgeWindowsTest : public JudgeStatisticsTest {
 protected:
  JudgeWindowsTest() {
    Calibration restored = calibration_;
    restored.windows.push_back(restored.windows[0]);
    auto& window = restored.windows.back();
    window.window = {"restored-3", 3, 4, 8};
    window.checkpoint = std::string(64, 'a');
    // What is tested here is which runs count, not how they scatter.
    for (auto* channel : {&window.loss, &window.grad_norm}) {
      for (double& width : channel->width) width = 100;
    }
    noisy_run("any").write(path("any"));
    window.discrete = read_window(path("any") / "steps.jsonl", window.window).discrete;
    write(restored);
    for (SyntheticRun* run : {&a_short_, &b_short_}) {
      run->manifest["resumed"] = {{{"step", 3}, {"at", "2026-03-01T12:00:30Z"}}};
    }
  }

  Check judge_windows() {
    a_short_.write(path("w/a-restored-3"));
    b_short_.write(path("w/b-restored-3"));
    return judge().calibration;
  }
  void expect_refused(const std::string& message) {
    const Check check = judge_windows();
    expect(check, Verdict::kInvalid, "window_run_failed");
    EXPECT_THAT(check.message, HasSubstr("run b, window restored-3"));
    EXPECT_THAT(check.message, HasSubstr(message));
  }

  SyntheticRun a_short_ = noisy_run("a-short"), b_short_ = noisy_run("b-short");
};

TEST_F(JudgeWindowsTest, WholeShortRunsCount) {
  expect(judge_windows(), Verdict::kReproduced, "within_envelope");
}

TEST_F(JudgeWindowsTest, AWindowThatWasNotRunIsNoWindow) {
  expect(judge().calibration, Verdict::kInvalid, "window_run_failed");
}

TEST_F(JudgeWindowsTest, AShortRunOfAnotherKindDoesNotCount) {
  b_short_.manifest["cpu"]["threads"] = 3;
  expect_refused("another experiment or kind of machine");
}

TEST_F(JudgeWindowsTest, AShortRunThatBeganElsewhereDoesNotCount) {
  b_short_.manifest["resumed"][0]["step"] = 2;
  expect_refused("went on from step 3");
  b_short_.manifest.erase("resumed");
  b_short_.manifest.erase("head");
  expect_refused("went on from step 3");
}

TEST_F(JudgeWindowsTest, OneShortRunCountsOnlyOnce) {
  b_short_ = a_short_;
  expect_refused("once more");
}

}  // namespace
}  // namespace twinrun::harness
