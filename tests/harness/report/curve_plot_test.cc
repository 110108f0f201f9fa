#include "harness/report/curve_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "harness/report/text.h"
#include "tests/harness/report/rendered.h"

namespace twinrun::harness {
namespace {

using test::lines_of;
using testing::HasSubstr;
using testing::Not;

PlotCurve falling(std::int64_t steps, char mark) {
  PlotCurve curve{{}, {}, mark};
  for (std::int64_t step = 1; step <= steps; ++step) {
    curve.steps.push_back(step);
    curve.values.push_back(5.0F / static_cast<float>(step));
  }
  return curve;
}

TEST(PlotCurves, OneUlpShowsInTheRowBelowThoughNotInTheField) {
  const PlotCurve before = falling(6, 'b');
  PlotCurve after = falling(6, 'p');
  EXPECT_THAT(plot_curves(before, after, {}), Not(HasSubstr("differ")));
  after.values[3] = std::nextafter(after.values[3], 9.0F);
  const auto lines = lines_of(plot_curves(before, after, {}));
  EXPECT_THAT(lines.back(), HasSubstr("differ "));
  // The fourth of six steps, on 69 columns behind the scale.
  EXPECT_EQ(lines.back().find('^'), 11u + 41u);
  EXPECT_THAT(lines.front(), HasSubstr("="));
}

TEST(PlotCurves, KeepsToTheWidthAndToAscii) {
  for (const std::size_t columns_given : {1u, 40u, 80u, 133u}) {
    const std::string plot =
        plot_curves(falling(1000, 'b'), falling(900, 'p'), {.columns = columns_given});
    for (const std::string& line : lines_of(plot)) {
      EXPECT_LE(line.size(), std::max<std::size_t>(columns_given, 40)) << line;
      for (const char c : line) EXPECT_TRUE(c >= ' ' && c <= '~') << line;
    }
  }
}

TEST(PlotCurves, ColorsAndLinesOnlyWhereAsked) {
  const PlotCurve curve = falling(5, 'p');
  EXPECT_THAT(plot_curves({}, curve, {}), Not(HasSubstr("\x1b")));
  EXPECT_THAT(plot_curves({}, curve, {.color = true}), HasSubstr("\x1b[33mp\x1b[0m"));
  EXPECT_THAT(plot_curves({}, curve, {.unicode = true}), HasSubstr("└──"));
}

TEST(PlotCurves, WhatIsNotFiniteLeavesAGapButCountsAsADifference) {
  const PlotCurve before = falling(6, 'b');
  PlotCurve after = falling(6, 'p');
  after.values[2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(plot_curves(before, after, {}), HasSubstr("^"));
  for (float& value : after.values) value = std::numeric_limits<float>::infinity();
  EXPECT_THAT(plot_curves({}, after, {}), HasSubstr("none is finite"));
  EXPECT_THAT(plot_curves({}, {}, {}), HasSubstr("none is finite"));
}

TEST(PlotCurves, WhatIsNotFiniteAtAnEndStaysWithinTheRow) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const PlotCurve before{{1, 2, 3, 4, 5, 6}, {nan, nan, 3, 2, nan, nan}, 'b'};
  PlotCurve after = before;
  after.mark = 'p';
  after.values = {-nan, -nan, 3, 2, -nan, -nan};
  const auto lines = lines_of(plot_curves(before, after, {}));
  for (const std::string& line : lines) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_EQ(lines.back(), "    differ ^" + std::string(67, ' ') + "^");
}

TEST(PlotCurves, AFlatCurveAndASingleStepAreDrawn) {
  PlotCurve flat{{1, 2, 3}, {2.0F, 2.0F, 2.0F}, 'p'};
  EXPECT_THAT(plot_curves({}, flat, {}), HasSubstr("p"));
  EXPECT_THAT(plot_curves({}, {{7}, {1.5F}, 'p'}, {}), HasSubstr("step 7"));
}

TEST(TerminalColumns, TakesColumnsFromTheEnvironmentElseEighty) {
  setenv("COLUMNS", "57", 1);
  EXPECT_EQ(terminal_columns(-1), 57u);
  setenv("COLUMNS", "wide", 1);
  EXPECT_EQ(terminal_columns(-1), 80u);
  unsetenv("COLUMNS");
  EXPECT_EQ(terminal_columns(-1), 80u);
}

}  // namespace
}  // namespace twinrun::harness
