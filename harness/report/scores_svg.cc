#include <algorithm>
#include <cmath>
#include <map>

#include "harness/report/escape.h"
#include "harness/report/statistics_svg.h"
#include "harness/report/svg_parts.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

constexpr double kWidth = 760, kLeft = 132, kRight = 736, kTop = 30;
constexpr double kDots = 96, kRow = 34, kBelow = 46, kRadius = 4;

/// From 0 to what the calibrated runs and those not far from them take.
class ScoreAxis {
 public:
  explicit ScoreAxis(const ScoreChart& chart) {
    double base = chart.limit.value_or(0);
    for (const double score : chart.scores) base = std::max(base, score);
    reach_ = base;
    for (const ScoreChart::Row& row : chart.rows) {
      if (row.score && (base <= 0 || *row.score <= 3 * base)) {
        reach_ = std::max(reach_, *row.score);
      }
    }
    reach_ = reach_ > 0 ? 1.12 * reach_ : 1;
  }
  bool beyond(const ScoreChart::Row& row) const { return !row.score || *row.score > reach_; }
  double x(double score) const {
    return kLeft + std::clamp(score / reach_, 0.0, 1.0) * (kRight - kLeft);
  }
  std::string text(double bottom) const {
    std::string text = svg_line(kLeft, bottom, kRight, bottom, "grid");
    for (const double score : ticks(0, reach_, 5)) {
      text += svg_text(x(score), bottom + 19, "middle", tick_text(score));
    }
    return text + svg_text(kRight, bottom + 41, "end", "score");
  }

 private:
  double reach_ = 1;
};

/// Dots in stacks where they would lie over each other; a stack that would be too high is pressed
/// together.
std::string dots(const ScoreChart& chart, const ScoreAxis& axis) {
  std::map<std::int64_t, std::size_t> stacks;
  const auto stack_of = [&](double score) {
    return static_cast<std::int64_t>(std::floor((axis.x(score) - kLeft) / (2 * kRadius)));
  };
  std::size_t highest = 1;
  for (const double score : chart.scores) highest = std::max(highest, ++stacks[stack_of(score)]);
  const double room = kDots - 2 * kRadius;
  const double apart = std::min(2 * kRadius, room / static_cast<double>(highest));
  stacks.clear();
  std::string text;
  for (const double score : chart.scores) {
    const auto below = static_cast<double>(stacks[stack_of(score)]++);
    text +=
        svg_circle(axis.x(score), kTop + kDots - kRadius - below * apart, kRadius - 0.5, "dots");
  }
  return text;
}

std::string limit_text(const ScoreChart& chart, const ScoreAxis& axis, double bottom) {
  if (!chart.limit) return {};
  const double x = axis.x(*chart.limit);
  const bool right = x > (kLeft + kRight) / 2;
  return svg_line(x, kTop - 6, x, bottom, "first") +
         svg_text(x + (right ? -6 : 6), kTop - 10, right ? "mark end" : "mark",
                  "alpha = " + number_text("%g", chart.alpha) + ": outside is to the right");
}

std::string row_text(const ScoreChart::Row& row, double y, const ScoreAxis& axis) {
  const bool beyond = axis.beyond(row);
  const double x = beyond ? kRight : axis.x(*row.score);
  // Red is what should not be: a run outside, a control within.
  const std::string kind = row.outside != row.expected ? "mark" : "note";
  const bool right = x > (kLeft + kRight) / 2;
  const std::string score = row.score ? number_text("%.3g", *row.score) : "not finite";
  const std::string shape = beyond ? "<path class=\"" + kind + " solid\" d=\"M" +
                                         svg_number(x - 10) + " " + svg_number(y - 7) + "L" +
                                         svg_number(x) + " " + svg_number(y) + "L" +
                                         svg_number(x - 10) + " " + svg_number(y + 7) + "Z\"/>\n"
                                   : svg_circle(x, y, 6, kind + " solid");
  return svg_line(kLeft, y, kRight, y, "grid") + shape +
         svg_text(kLeft - 8, y + 5, "end", ellipsize(shown(row.name), 11)) +
         svg_text(x + (right ? -14 : 12), y - 6, kind + (right ? " end" : ""),
                  score + ", p = " + number_text("%.3g", row.p));
}

}  // namespace

std::string scores_svg(const ScoreChart& chart) {
  const ScoreAxis axis(chart);
  const double first = kTop + kDots + kRow;
  const double bottom = first + kRow * (static_cast<double>(chart.rows.size()) - 1) + 22;
  std::string body = limit_text(chart, axis, bottom) + dots(chart, axis) +
                     svg_text(kLeft - 8, kTop + kDots - 1, "end", "calibrated");
  for (std::size_t i = 0; i < chart.rows.size(); ++i) {
    body += row_text(chart.rows[i], first + kRow * static_cast<double>(i), axis);
  }
  return svg_frame(kWidth, bottom + kBelow, "Scores of the calibrated runs and of those judged",
                   body + axis.text(bottom));
}

}  // namespace twinrun::harness
