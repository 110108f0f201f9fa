#include <algorithm>
#include <cmath>

#include "harness/report/escape.h"
#include "harness/report/statistics_svg.h"
#include "harness/report/svg_parts.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

// Half as wide as the other drawings: two stand beside each other.
constexpr double kWidth = 380, kLeft = 46, kRight = 368, kTop = 22, kBottom = 162, kBelow = 36;
constexpr double kLogarithmicFrom = 30;

/// Where steps and distances stand.
class Axes {
 public:
  explicit Axes(const EnvelopePanel& panel) : first_(static_cast<double>(panel.first_step)) {
    std::size_t steps = 1;
    reach_ = std::max(1.5, 1.25 * panel.limit.value_or(0));
    for (const EnvelopePanel::Curve& curve : panel.curves) {
      steps = std::max(steps, curve.distances.size());
      for (const double distance : curve.distances) {
        if (std::isfinite(distance)) reach_ = std::max(reach_, 1.1 * std::abs(distance));
      }
    }
    logarithmic_ = reach_ > kLogarithmicFrom;
    last_ = first_ + static_cast<double>(steps) - 1;
  }

  double x(double step) const {
    if (last_ <= first_) return (kLeft + kRight) / 2;
    return kLeft + 6 + (step - first_) / (last_ - first_) * (kRight - kLeft - 12);
  }
  double y(double distance) const {
    const double share = place(std::clamp(distance, -reach_, reach_)) / place(reach_);
    return (kTop + kBottom) / 2 - share * (kBottom - kTop) / 2;
  }
  std::vector<double> distance_ticks() const {
    if (!logarithmic_) return ticks(-reach_, reach_, 4);
    std::vector<double> list = {0};
    const double every = std::ceil(std::log10(reach_) / 2.5);
    for (double power = every; power <= std::log10(reach_); power += every) {
      list.push_back(std::pow(10, power));
      list.push_back(-std::pow(10, power));
    }
    return list;
  }
  std::vector<double> step_ticks() const {
    return last_ > first_ ? ticks(first_, last_, 5) : std::vector<double>{first_};
  }

 private:
  double place(double distance) const { return logarithmic_ ? std::asinh(distance) : distance; }
  double first_, last_ = 0, reach_ = 1;
  bool logarithmic_ = false;
};

/// Short enough for the margin: 1e6 instead of 1e+06.
std::string distance_text(double distance) {
  if (std::abs(distance) < 10000) return tick_text(distance);
  const double power = std::round(std::log10(std::abs(distance)));
  return (distance < 0 ? "-1e" : "1e") + tick_text(power);
}

std::string grid(const EnvelopePanel& panel, const Axes& axes) {
  std::string text;
  const auto band = [&](double widths, const char* kind) {
    return svg_area(kLeft, axes.y(widths), kRight, axes.y(-widths), kind);
  };
  if (panel.limit) text += band(*panel.limit, "band");
  text += band(panel.limit ? std::min(1.0, *panel.limit) : 1, "core");
  for (const double distance : axes.distance_ticks()) {
    text += svg_line(kLeft, axes.y(distance), kRight, axes.y(distance), "grid");
    text += svg_text(kLeft - 6, axes.y(distance) + 4, "end", distance_text(distance));
  }
  for (const double step : axes.step_ticks()) {
    if (step != std::floor(step)) continue;
    text += svg_text(axes.x(step), kBottom + 17, "middle", tick_text(step));
  }
  return text + svg_text(kRight, kBottom + 32, "end", "step");
}

/// The line of a run; a step without a finite value leaves a gap, and a mark of its own.
std::string curve_text(const EnvelopePanel& panel, std::size_t index, const Axes& axes) {
  const std::string kind = index == 0 ? "a" : index == 1 ? "b" : "b more";
  std::string text, points;
  std::size_t count = 0;
  double x = 0, y = 0;
  const auto end_line = [&] {
    if (count == 1) text += svg_circle(x, y, 2.5, kind + " dot");
    if (count > 1) text += "<polyline class=\"" + kind + "\" points=\"" + points + "\"/>\n";
    points.clear();
    count = 0;
  };
  const std::vector<double>& distances = panel.curves[index].distances;
  for (std::size_t i = 0; i < distances.size(); ++i) {
    x = axes.x(static_cast<double>(panel.first_step) + static_cast<double>(i));
    if (!std::isfinite(distances[i])) {
      end_line();
      text += svg_line(x, kTop, x, kBottom, "lost");
      continue;
    }
    y = axes.y(distances[i]);
    points += (count == 0 ? "" : " ") + svg_number(x) + "," + svg_number(y);
    ++count;
  }
  end_line();
  return text;
}

std::string mark_text(const EnvelopePanel& panel, const EnvelopePanel::Mark& mark,
                      std::size_t order, const Axes& axes) {
  if (mark.curve >= panel.curves.size() || mark.step < panel.first_step) return {};
  const EnvelopePanel::Curve& curve = panel.curves[mark.curve];
  const auto at = static_cast<std::size_t>(mark.step - panel.first_step);
  if (at >= curve.distances.size()) return {};
  const double x = axes.x(static_cast<double>(mark.step));
  const bool finite = std::isfinite(curve.distances[at]);
  const double y = finite ? axes.y(curve.distances[at]) : kTop;
  const std::string kind = mark.outside ? "mark" : "note";
  const bool right = x > (kLeft + kRight) / 2;
  const std::string ring = svg_circle(x, y, 5, kind + " ring");
  // Names stand above the field and at its lower edge; more of them would lie over each other.
  if (order > 1) return ring;
  const double text_y = order == 0 ? kTop - 7 : kBottom - 5;
  return ring + svg_text(x, text_y, kind + (right ? " end" : ""),
                         "run " + ellipsize(shown(curve.name), 12) + ", step " +
                             std::to_string(mark.step));
}

}  // namespace

std::string envelope_svg(const EnvelopePanel& panel) {
  const Axes axes(panel);
  std::string body = grid(panel, axes);
  for (std::size_t i = 0; i < std::min(panel.curves.size(), kPanelRunsMax); ++i) {
    body += curve_text(panel, i, axes);
  }
  for (std::size_t i = 0; i < panel.marks.size(); ++i) {
    body += mark_text(panel, panel.marks[i], i, axes);
  }
  return svg_frame(kWidth, kBottom + kBelow, shown(panel.title) + ", distance from the centre",
                   body);
}

}  // namespace twinrun::harness
