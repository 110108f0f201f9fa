#pragma once

#include <string>

#include "harness/report/statistics_charts.h"

namespace twinrun::harness {

// SVG elements, as those of svg.h.

/// The distances of the runs from the centre, with the bands of one width and of the limit; beyond
/// 30 widths the axis grows like a logarithm.
std::string envelope_svg(const EnvelopePanel& panel);

/// Dots for the calibrated runs, a row each for the runs that were judged by them. What lies much
/// farther out than all of them stands at the edge, with its score.
std::string scores_svg(const ScoreChart& chart);

/// A row each, from -4 to 4 margins at most; an interval that goes on beyond ends in an arrow.
std::string intervals_svg(const IntervalChart& chart);

/// Runs that a panel shows; the lines of more could not be told apart.
inline constexpr std::size_t kPanelRunsMax = 8;

}  // namespace twinrun::harness
