#pragma once

#include <string>
#include <vector>

namespace twinrun::harness {

// Pieces of SVG elements for an HTML page, styled by classes only, so that the page's content
// security policy can forbid inline styles. REQUIRES: every number is finite.

/// A coordinate, with one digit behind the point.
std::string svg_number(double value);

/// A text at a point; `kind` are its classes. Escaped.
std::string svg_text(double x, double y, const std::string& kind, const std::string& text);

std::string svg_line(double x1, double y1, double x2, double y2, const std::string& kind);

/// From `x1`, `y1` (left, above) to `x2`, `y2`.
std::string svg_area(double x1, double y1, double x2, double y2, const std::string& kind);

std::string svg_circle(double x, double y, double radius, const std::string& kind);

/// The element itself: `body` in a view of that size; `title` is what it is called where it cannot
/// be seen.
std::string svg_frame(double width, double height, const std::string& title,
                      const std::string& body);

/// A number beside an axis.
std::string tick_text(double value);

/// Round numbers within [low, high], about `count` of them. REQUIRES: low < high.
std::vector<double> ticks(double low, double high, int count);

}  // namespace twinrun::harness
