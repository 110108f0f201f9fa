#include "harness/report/svg.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "harness/report/escape.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

// Of the drawing, in its own units; the margins leave room for the larger digits on a phone.
constexpr double kWidth = 760, kLeft = 84, kRight = 748, kTop = 32;
constexpr double kLossBottom = 260, kDifferenceBottom = 120, kBelow = 48;

std::string fixed(double value) { return number_text("%.1f", value); }

std::string tick_text(double value) { return number_text("%.6g", value); }

/// Round numbers within [low, high], about `count` of them.
std::vector<double> ticks(double low, double high, int count) {
  const double raw = (high - low) / count;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> list;
  // Counted, not added up: a step below the resolution of `low` would never end.
  for (int i = 0; i <= 2 * count; ++i) {
    const double value = (std::ceil(low / step) + i) * step;
    if (value > high) break;
    list.push_back(value);
  }
  return list;
}

/// Where steps stand from left to right.
struct StepAxis {
  double first = 1, last = 1;
  double x(std::int64_t step) const {
    if (last <= first) return (kLeft + kRight) / 2;
    return kLeft + (static_cast<double>(step) - first) / (last - first) * (kRight - kLeft);
  }
};

std::string text_at_point(double x, double y, const std::string& kind, const std::string& text) {
  return "<text x=\"" + fixed(x) + "\" y=\"" + fixed(y) + "\" class=\"" + kind + "\">" +
         xml_escape(text) + "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const std::string& kind) {
  return "<line x1=\"" + fixed(x1) + "\" y1=\"" + fixed(y1) + "\" x2=\"" + fixed(x2) + "\" y2=\"" +
         fixed(y2) + "\" class=\"" + kind + "\"/>\n";
}

std::string frame(double bottom, const std::string& title, const std::string& body) {
  return "<svg viewBox=\"0 0 " + fixed(kWidth) + " " + fixed(bottom + kBelow) +
         "\" role=\"img\" aria-label=\"" + xml_escape(title) + "\">\n" + body + "</svg>\n";
}

std::string step_axis(const StepAxis& axis, double bottom) {
  std::string text = line(kLeft, bottom, kRight, bottom, "grid");
  const auto steps =
      axis.last > axis.first ? ticks(axis.first, axis.last, 6) : std::vector<double>{axis.first};
  for (const double step : steps) {
    if (step != std::floor(step)) continue;
    const auto whole = static_cast<std::int64_t>(step);
    text += text_at_point(axis.x(whole), bottom + 20, "middle", std::to_string(whole));
  }
  return text + text_at_point(kRight, bottom + 42, "end", "step");
}

std::string first_mark(const Chart& chart, const StepAxis& axis, double bottom) {
  if (!chart.first_step || chart.curves.steps == 0) return {};
  const std::int64_t step = *chart.first_step;
  const bool outside = step < 1 || step > chart.curves.steps;
  const double x = axis.x(std::clamp<std::int64_t>(step, 1, chart.curves.steps));
  const bool right = x > (kLeft + kRight) / 2;
  const std::string text = "first difference: step " + std::to_string(step);
  return (outside ? "" : line(x, kTop - 6, x, bottom, "first")) +
         text_at_point(x + (right ? -5 : 5), kTop - 8, right ? "mark end" : "mark", text);
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
    points += (points.empty() ? "" : " ") + fixed(steps.x(step)) + "," + fixed(losses.y(value));
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
    body += line(kLeft, losses.y(value), kRight, losses.y(value), "grid");
    body += text_at_point(kLeft - 6, losses.y(value) + 4, "end", tick_text(value));
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
  std::string body = text_at_point(kLeft - 6, kDifferenceBottom + 4, "end", "0");
  const double every = std::ceil(decades / 5);
  for (double power = every; power <= decades; power += every) {
    const double value = std::pow(10, power) - 1;
    body += line(kLeft, y(value), kRight, y(value), "grid");
    body += text_at_point(kLeft - 6, y(value) + 4, "end", tick_text(std::pow(10, power)));
  }
  body += step_axis(steps, kDifferenceBottom);
  for (const LossBucket& bucket : curves.buckets) {
    if (bucket.differing == 0) continue;
    const double x = (steps.x(bucket.first_step) + steps.x(bucket.last_step)) / 2;
    // Bits that differ without a distance (a zero's sign, not finite) stand out in their own way.
    const bool distance = bucket.ulps_max > 0;
    body += line(x, kDifferenceBottom, x, distance ? y(static_cast<double>(bucket.ulps_max)) : kTop,
                 distance ? "bar" : "lost");
  }
  body += first_mark(chart, steps, kDifferenceBottom);
  return frame(kDifferenceBottom, "Distance of the losses, in units in the last place", body);
}

}  // namespace twinrun::harness
