#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace twinrun::harness {

/// A curve to draw: `values` at `steps`, which ascend. Values that are not finite leave a gap.
struct PlotCurve {
  std::vector<std::int64_t> steps;
  std::vector<float> values;
  char mark = '*';
};

struct PlotOptions {
  std::size_t columns = 80;  ///< of the whole plot; at least 40 are taken
  std::size_t rows = 10;     ///< of the plot's field
  bool unicode = false;      ///< a frame of lines instead of ASCII
  bool color = false;
};

/// Draws `before` and `after` over one another, `=` where both stand in the same place, the axes
/// with their ends, and below them a row with `^` wherever losses of the same step differ in any
/// bit, however small. Every line ends in a line feed and takes at most options.columns columns.
/// `before` may be empty. Nothing to draw gives a line that says so.
std::string plot_curves(const PlotCurve& before, const PlotCurve& after,
                        const PlotOptions& options);

/// Columns of the terminal at `fd`: of COLUMNS if that is a number from 1 on, else as the terminal
/// says, else 80.
std::size_t terminal_columns(int fd);

}  // namespace twinrun::harness
