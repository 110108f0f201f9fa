#include "harness/calibrate/detection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "harness/calibrate/calibrate.h"
#include "harness/stats/conformal.h"
#include "tests/harness/calibrate/noisy_runs.h"

namespace twinrun::harness {
namespace {

using test::noise;

/// Curves that scatter by 0.1 % of a value near 2, so that no float32 is too coarse for one
/// percent of it; steps scatter unlike each other.
std::vector<std::vector<float>> curves(const std::string& name, std::size_t steps, int runs) {
  std::vector<std::vector<float>> list;
  for (int run = 0; run < runs; ++run) {
    std::vector<float> curve;
    for (std::size_t i = 0; i < steps; ++i) {
      const std::string at = name + "/" + std::to_string(i);
      const double scale = 0.002 * (1.1 + noise("scale " + at));
      curve.push_back(static_cast<float>(2 + scale * noise(std::to_string(run) + " " + at)));
    }
    list.push_back(curve);
  }
  return list;
}

std::vector<float> on_centre(const ChannelEnvelope& envelope) {
  return {envelope.centre.begin(), envelope.centre.end()};
}

/// Two windows of `steps` steps, and the scores of 19 runs that were made as they were.
struct Calibrated {
  std::vector<CalibratedWindow> windows;
  std::vector<double> scores;
  double alpha = 0.05;

  explicit Calibrated(std::size_t steps) {
    const auto last = static_cast<std::int64_t>(steps);
    std::vector<std::vector<WindowCurves>> runs(19);
    for (const StepWindow& window :
         {StepWindow{"start", 0, 1, last}, StepWindow{"restored-50", 50, 51, 50 + last}}) {
      const auto loss = curves(window.name + " loss", steps, 30);
      const auto norm = curves(window.name + " norm", steps, 30);
      windows.push_back({window,
                         "",
                         {},
                         make_envelope({loss.begin(), loss.begin() + 11}),
                         make_envelope({norm.begin(), norm.begin() + 11})});
      for (std::size_t i = 0; i < runs.size(); ++i) {
        runs[i].push_back({loss[i + 11], norm[i + 11], {}, ""});
      }
    }
    for (const auto& run : runs) scores.push_back(score_run(windows, run).score);
  }

  double limit() const { return conformal_limit(scores, alpha).value(); }
  std::vector<Detection> detection() const { return what_is_seen(windows, limit()); }

  /// Whether a run is outside that lies on the centre but for `channel` of `window`, to whose
  /// steps `change` is added, from `first` to `last` of the window.
  bool outside(const Detection& place, double change, std::size_t first, std::size_t last) const {
    std::vector<WindowCurves> run;
    for (const CalibratedWindow& calibrated : windows) {
      run.push_back({on_centre(calibrated.loss), on_centre(calibrated.grad_norm), {}, ""});
      if (calibrated.window.name != place.window) continue;
      auto& values = place.channel == "loss" ? run.back().loss : run.back().grad_norm;
      for (std::size_t i = first; i <= last; ++i) values[i] += static_cast<float>(change);
    }
    return conformal_p(scores, score_run(windows, run).score) <= alpha;
  }
};

class DetectionOf : public testing::TestWithParam<std::size_t> {};

TEST_P(DetectionOf, AShiftOfThatMuchIsFoundAndNoSmallerOne) {
  const Calibrated calibrated(GetParam());
  const auto list = calibrated.detection();
  ASSERT_EQ(list.size(), 4u);
  for (const Detection& found : list) {
    for (const double sign : {1, -1}) {
      EXPECT_TRUE(calibrated.outside(found, sign * 1.01 * found.shift, 0, GetParam() - 1));
      EXPECT_FALSE(calibrated.outside(found, sign * 0.99 * found.shift, 0, GetParam() - 1));
    }
  }
}

TEST_P(DetectionOf, AJumpOfThatMuchIsFoundAtTheStepAndNoSmallerOne) {
  const Calibrated calibrated(GetParam());
  for (const Detection& found : calibrated.detection()) {
    const std::int64_t first = found.window == "start" ? 1 : 51;
    const auto at = static_cast<std::size_t>(found.jump_at - first);
    for (const double sign : {1, -1}) {
      EXPECT_TRUE(calibrated.outside(found, sign * 1.01 * found.jump_least, at, at));
      for (std::size_t i = 0; i < GetParam(); ++i) {
        EXPECT_FALSE(calibrated.outside(found, sign * 0.99 * found.jump_least, i, i));
      }
    }
  }
}

TEST_P(DetectionOf, HalfOfTheStepsShowAJumpOfTheMedian) {
  const Calibrated calibrated(GetParam());
  for (const Detection& found : calibrated.detection()) {
    std::size_t more = 0, less = 0;
    for (std::size_t i = 0; i < GetParam(); ++i) {
      more += calibrated.outside(found, 1.01 * found.jump_median, i, i) ? 1 : 0;
      less += calibrated.outside(found, 0.99 * found.jump_median, i, i) ? 1 : 0;
    }
    EXPECT_GE(2 * more, GetParam());
    EXPECT_LE(2 * less, GetParam());
    EXPECT_GE(found.jump_median, found.jump_least);
  }
}

INSTANTIATE_TEST_SUITE_P(Steps, DetectionOf, testing::Values(1, 2, 7, 20, 100));

TEST(Detection, EachPartFindsTheShiftThatIsItsOwn) {
  const auto shift = [](const std::vector<double>& width) {
    CalibratedWindow window;
    window.window = {"start", 0, 1, static_cast<std::int64_t>(width.size())};
    window.loss = window.grad_norm = {std::vector<double>(width.size(), 100), width};
    return what_is_seen({window}, 2).front().shift;
  };
  EXPECT_DOUBLE_EQ(shift({3}), 2 * 1.3 * 3);                             // spread
  EXPECT_DOUBLE_EQ(shift(std::vector<double>(36, 5)), 2 * 3 * 5 / 6.0);  // drift
  std::vector<double> one_is_narrow(36, 1e6);
  one_is_narrow[7] = 0.5;
  EXPECT_DOUBLE_EQ(shift(one_is_narrow), 2 * 3.5 * 0.5);  // peak
}

TEST(Detection, IsToldInTheUnitOfTheChannelAndRelativeToItsMean) {
  CalibratedWindow window;
  window.window = {"restored-30", 30, 31, 33};
  window.loss = {{1, 2, 6}, {0.5, 0.25, 1}};
  window.grad_norm = {{-1, 0, 1}, {1, 1, 1}};
  const auto list = what_is_seen({window}, 1);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].window, "restored-30");
  EXPECT_EQ(list[0].channel, "loss");
  EXPECT_DOUBLE_EQ(list[0].centre_mean, 3);
  EXPECT_EQ(list[0].jump_at, 32);
  const double each = 1.3 * std::sqrt(3);  // by the spread of three steps, sooner than by the peak
  EXPECT_DOUBLE_EQ(list[0].jump_least, 0.25 * each);
  EXPECT_DOUBLE_EQ(list[0].jump_median, 0.5 * each);
  EXPECT_DOUBLE_EQ(list[0].relative(0.3).value(), 0.1);
  EXPECT_FALSE(list[1].relative(0.3)) << "of a mean of 0 there is no share";
  ASSERT_NE(most_sensitive(list), nullptr);
  EXPECT_EQ(most_sensitive(list)->channel, "loss");
  EXPECT_EQ(most_sensitive({}), nullptr);
}

TEST(Detection, NoChangeIsSeenThatIsNotRecorded) {
  // Nothing scatters, so that every score is 0: any float32 beside the centre is outside.
  CalibratedWindow window;
  window.window = {"start", 0, 1, 2};
  window.loss = window.grad_norm = make_envelope({{5, 1}, {5, 1}});
  const Detection found = what_is_seen({window}, 0).front();
  EXPECT_EQ(found.shift, 0x1p-21);
  EXPECT_EQ(found.jump_least, 0x1p-23);
  EXPECT_EQ(found.jump_at, 2);
  const std::vector<float> beside = {5, std::nextafter(1.0f, 2.0f)};
  EXPECT_GT(score_channel(window.loss, beside).score, 0);
}

}  // namespace
}  // namespace twinrun::harness
