#include <algorithm>
#include <cmath>

#include "harness/report/escape.h"
#include "harness/report/statistics_svg.h"
#include "harness/report/statistics_words.h"
#include "harness/report/svg_parts.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

// A row has its name above its interval, so that both have the whole width.
constexpr double kWidth = 760, kLeft = 24, kRight = 736, kTop = 14, kRow = 58, kBelow = 46;
constexpr double kReachMax = 4;

double x_of(double margins, double reach) {
  return (kLeft + kRight) / 2 + std::clamp(margins / reach, -1.0, 1.0) * (kRight - kLeft) / 2;
}

double reach_of(const IntervalChart& chart) {
  double reach = 1.5;
  for (const IntervalChart::Row& row : chart.rows) {
    for (const auto& value : {row.low, row.high}) {
      if (value) reach = std::max(reach, 1.1 * std::abs(*value));
    }
  }
  return std::min(reach, kReachMax);
}

std::string kind_of(const std::string& outcome) {
  return outcome == "equivalent" ? "good" : outcome == "different" ? "bad" : "open";
}

/// The end of an interval: a stroke, or an arrow where it goes on beyond the drawing.
std::string end_text(double margins, double reach, double y, const std::string& kind) {
  const double x = x_of(margins, reach);
  if (std::abs(margins) <= reach) return svg_line(x, y - 6, x, y + 6, kind + " interval");
  const double back = margins > 0 ? -10 : 10;
  return "<path class=\"" + kind + " solid\" d=\"M" + svg_number(x + back) + " " +
         svg_number(y - 6) + "L" + svg_number(x) + " " + svg_number(y) + "L" +
         svg_number(x + back) + " " + svg_number(y + 6) + "Z\"/>\n";
}

std::string row_text(const IntervalChart::Row& row, double top, double reach) {
  const std::string kind = kind_of(row.outcome);
  std::string text = svg_text(kLeft, top + 16, "name", ellipsize(shown(row.name), 52));
  text +=
      svg_text(kRight, top + 16, kind + " end", ellipsize(shown(outcome_words(row.outcome)), 14));
  const double y = top + 36;
  if (!row.low || !row.high) {
    return text + svg_text((kLeft + kRight) / 2, y + 4, kind + " middle", "no interval");
  }
  text += svg_line(x_of(*row.low, reach), y, x_of(*row.high, reach), y, kind + " interval");
  text += end_text(*row.low, reach, y, kind) + end_text(*row.high, reach, y, kind);
  if (row.estimate && std::abs(*row.estimate) <= reach)
    text += svg_circle(x_of(*row.estimate, reach), y, 5, kind + " solid");
  return text;
}

}  // namespace

std::string intervals_svg(const IntervalChart& chart) {
  const double reach = reach_of(chart);
  const double bottom = kTop + kRow * static_cast<double>(chart.rows.size());
  std::string body = svg_area(x_of(-1, reach), kTop, x_of(1, reach), bottom, "band");
  body += svg_line(x_of(0, reach), kTop, x_of(0, reach), bottom, "grid");
  for (const double margin : {-1, 1}) {
    body += svg_line(x_of(margin, reach), kTop, x_of(margin, reach), bottom, "edge");
  }
  for (std::size_t i = 0; i < chart.rows.size(); ++i) {
    body += row_text(chart.rows[i], kTop + kRow * static_cast<double>(i), reach);
  }
  body += svg_line(kLeft, bottom, kRight, bottom, "grid");
  for (int margin = -static_cast<int>(reach); margin <= static_cast<int>(reach); ++margin) {
    body += svg_text(x_of(margin, reach), bottom + 19, "middle", tick_text(margin));
  }
  body += svg_text(kRight, bottom + 41, "end", "difference, in margins");
  return svg_frame(kWidth, bottom + kBelow, "Intervals of the differences, in margins", body);
}

}  // namespace twinrun::harness
