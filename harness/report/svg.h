#pragma once

#include <string>

#include "harness/report/document.h"

namespace twinrun::harness {

/// Both curves over each other, as an SVG element for an HTML page. It is styled by classes only
/// (a, b, first, grid), so that the page's content security policy can forbid inline styles.
std::string loss_svg(const Chart& chart);

/// The distance of the two losses in units in the last place, on a logarithmic scale.
std::string difference_svg(const Chart& chart);

}  // namespace twinrun::harness
