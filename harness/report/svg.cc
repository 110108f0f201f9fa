#include "harness/report/svg.h"

#include <algorithm>
#include <cmath>

#include "harness/report/escape.h"
#include "harness/report/svg_parts.h"

namespace twinrun::harness {
namespace {

// Of the drawing, in its own units; the margins leave room for the larger digits on a phone.
constexpr double kWidth = 760, kLeft = 84, kRight = 748, kTop = 32;
constexpr double kLossBottom = 260, kDifferenceBottom = 120, kBelow = 48;

/// Where steps stand from left to right.
struct StepAxis {
  double first = 1, last = 1;
  double x(std::int64_t step) const {
    if (last <= first) return (kLeft + kRight) / 2;
    return kLeft + (static_cast<double>(step) - first) / (last - first) * (kRight - kLeft);
  }
};

std::string frame(double bottom, const std::string& title, const std::string& body) {
  return svg_frame(kWidth, bottom + kBelow, title, body);
}

std::string step_axis(const StepAxis& axis, double bottom) {
  std::string text = svg_line(kLeft, bottom, kRight, bottom, "grid");
  const auto steps =
      axis.last > axis.first ? ticks(axis.first, axis.last, 6) : std::vector<double>{axis.first};
  for (const double step : steps) {
    if (step != std::floor(step)) continue;
    const auto whole = static_cast<std::int64_t>(step);
    text += svg_text(axis.x(whole), bottom + 20, "middle", std::to_string(whole));
  }
  return text + svg_text(kRight, bottom + 42, "end", "step");
}

std::string first_mark(const Chart& chart, const StepAxis& axis, double bottom) {
  if (!chart.first_step || chart.curves.steps == 0) return {};
  const std::int64_t step = *chart.first_step;
  const bool outside = step < 1 || step > chart.curves.steps;
  const double x = axis.x(std::clamp<std::int64_t>(step, 1, chart.curves.steps));
  const bool right = x > (kLeft + kRight) / 2;
  const std::string text = "first difference: step " + std::to_string(step);
  return (outside ? "" : svg_line(x, kTop - 6, x, bottom, "first")) +
         svg_text(x + (right ? -5 : 5), kTop - 8, right ? "mark end" : "mark", text);
}

struct LossAxis {
  double low = 0, high = 1;
  double y(double value) const {
    return kLossBottom - (value - low) / (high - low) * (kLossBottom - kTop);
  }
};

LossAxis loss_axis(const LossCurves& curves) {
  bool any = false;
  LossAxis axis;
  for (const LossBucket& bucket : curves.buckets) {
    for (const LossRange* range : {&bucket.a, &bucket.b}) {
      if (!range->any) continue;
      const double low = range->low, high = range->high;
      axis.low = any ? std::min(axis.low, low) : low;
      axis.high = any ? std::max(axis.high, high) : high;
      any = true;
    }
  }
  if (axis.high <= axis.low) {
    const double around = std::max(std::abs(axis.low) * 0.05, 1e-6);
    axis.low -= around;
    axis.high += around;
  }
  return axis;
}

/// The curve through the extremes of each bucket; a bucket without a finite loss leaves a gap.
std::string curve(const LossCurves& curves, LossRange LossBucket::*side, const StepAxis& steps,
                  const LossAxis& losses, const std::string& kind) {
  std::string text, points;
  const auto end_line = [&] {
    if (!points.empty()) {
      text += "<polyline class=\"" + kind + "\" points=\"" + points + "\"/>\n";
    }
    points.clear();
  };
  const auto add = [&](std::int64_t step, double value) {
    points +=
        (points.empty() ? "" : " ") + svg_number(steps.x(step)) + "," + svg_number(losses.y(value));
  };
  for (const LossBucket& bucket : curves.buckets) {
    const LossRange& range = bucket.*side;
    if (!range.any) {
      end_line();
      continue;
    }
    const bool low_first = range.low_step <= range.high_step;
    add(low_first ? range.low_step : range.high_step, low_first ? range.low : range.high);
    if (range.low_step == range.high_step) continue;
    add(low_first ? range.high_step : range.low_step, low_first ? range.high : range.low);
  }
  end_line();
  return text;
}

}  // namespace

std::string loss_svg(const Chart& chart) {
  const LossCurves& curves = chart.curves;
  const StepAxis steps{1, static_cast<double>(std::max<std::int64_t>(curves.steps, 1))};
  const LossAxis losses = loss_axis(curves);
  std::string body;
  for (const double value : ticks(losses.low, losses.high, 5)) {
    body += svg_line(kLeft, losses.y(value), kRight, losses.y(value), "grid");
    body += svg_text(kLeft - 6, losses.y(value) + 4, "end", tick_text(value));
  }
  body += step_axis(steps, kLossBottom);
  body += curve(curves, &LossBucket::a, steps, losses, "a");
  body += curve(curves, &LossBucket::b, steps, losses, "b");
  body += first_mark(chart, steps, kLossBottom);
  return frame(kLossBottom, "Loss of runs " + shown(curves.a) + " and " + shown(curves.b), body);
}

std::string difference_svg(const Chart& chart) {
  const LossCurves& curves = chart.curves;
  const StepAxis steps{1, static_cast<double>(std::max<std::int64_t>(curves.steps, 1))};
  const double decades =
      std::max(1.0, std::ceil(std::log10(static_cast<double>(curves.ulps_max) + 1)));
  const auto y = [&](double ulps) {
    return kDifferenceBottom - std::log10(ulps + 1) / decades * (kDifferenceBottom - kTop);
  };
  std::string body = svg_text(kLeft - 6, kDifferenceBottom + 4, "end", "0");
  const double every = std::ceil(decades / 5);
  for (double power = every; power <= decades; power += every) {
    const double value = std::pow(10, power) - 1;
    body += svg_line(kLeft, y(value), kRight, y(value), "grid");
    body += svg_text(kLeft - 6, y(value) + 4, "end", tick_text(std::pow(10, power)));
  }
  body += step_axis(steps, kDifferenceBottom);
  for (const LossBucket& bucket : curves.buckets) {
    if (bucket.differing == 0) continue;
    const double x = (steps.x(bucket.first_step) + steps.x(bucket.last_step)) / 2;
    // Bits that differ without a distance (a zero's sign, not finite) stand out in their own way.
    const bool distance = bucket.ulps_max > 0;
    body +=
        svg_line(x, kDifferenceBottom, x, distance ? y(static_cast<double>(bucket.ulps_max)) : kTop,
                 distance ? "bar" : "lost");
  }
  body += first_mark(chart, steps, kDifferenceBottom);
  return frame(kDifferenceBottom, "Distance of the losses, in units in the last place", body);
}

}  // namespace twinrun::harness
