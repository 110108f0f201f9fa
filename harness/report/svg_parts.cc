#include "harness/report/svg_parts.h"

#include <cmath>

#include "harness/report/escape.h"
#include "harness/report/text.h"

namespace twinrun::harness {

std::string svg_number(double value) { return number_text("%.1f", value); }

std::string svg_text(double x, double y, const std::string& kind, const std::string& text) {
  return "<text x=\"" + svg_number(x) + "\" y=\"" + svg_number(y) + "\" class=\"" + kind + "\">" +
         xml_escape(text) + "</text>\n";
}

std::string svg_line(double x1, double y1, double x2, double y2, const std::string& kind) {
  return "<line x1=\"" + svg_number(x1) + "\" y1=\"" + svg_number(y1) + "\" x2=\"" +
         svg_number(x2) + "\" y2=\"" + svg_number(y2) + "\" class=\"" + kind + "\"/>\n";
}

std::string svg_area(double x1, double y1, double x2, double y2, const std::string& kind) {
  return "<rect x=\"" + svg_number(x1) + "\" y=\"" + svg_number(y1) + "\" width=\"" +
         svg_number(x2 - x1) + "\" height=\"" + svg_number(y2 - y1) + "\" class=\"" + kind +
         "\"/>\n";
}

std::string svg_circle(double x, double y, double radius, const std::string& kind) {
  return "<circle cx=\"" + svg_number(x) + "\" cy=\"" + svg_number(y) + "\" r=\"" +
         svg_number(radius) + "\" class=\"" + kind + "\"/>\n";
}

std::string svg_frame(double width, double height, const std::string& title,
                      const std::string& body) {
  return "<svg viewBox=\"0 0 " + svg_number(width) + " " + svg_number(height) +
         "\" role=\"img\" aria-label=\"" + xml_escape(title) + "\">\n" + body + "</svg>\n";
}

std::string tick_text(double value) { return number_text("%.6g", value); }

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

}  // namespace twinrun::harness
