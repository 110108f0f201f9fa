#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace twinrun::harness {

// What is drawn of runs that promise no bits (docs/statistics.md). A value that is not finite is
// never drawn as a number.

/// Loss or gradient norm of the runs in one window, as distances from the centre of the envelope.
struct EnvelopePanel {
  struct Curve {
    std::string name;               ///< of the run
    std::vector<double> distances;  ///< in widths, a step each; NaN where the run is not finite
  };
  /// Where a run lies farthest out, of all windows.
  struct Mark {
    std::size_t curve = 0;
    std::int64_t step = 0;
    bool outside = false;
  };
  std::string title;
  std::string window, channel;  ///< as the verdict names them
  std::int64_t first_step = 1;
  std::vector<double> centre, width;  ///< a step each
  std::optional<double> limit;        ///< widths beyond which a single step is outside by itself
  std::vector<Curve> curves;
  std::vector<Mark> marks;
};

/// A panel a window and value.
struct EnvelopeChart {
  std::vector<EnvelopePanel> panels;
};

/// The scores of the calibrated runs as dots, and the runs that were judged by them.
struct ScoreChart {
  struct Row {
    std::string name;
    std::optional<double> score;  ///< nullopt: not finite, farther out than any number
    double p = 0;
    bool outside = false;
    bool expected = false;  ///< the control: lying outside is what it is there for
  };
  std::vector<double> scores;   ///< finite
  std::optional<double> limit;  ///< score above which a run lies outside
  double alpha = 0;
  std::vector<Row> rows;
};

/// An interval of a difference a metric and pair, in margins, so that all fit beside each other.
struct IntervalChart {
  struct Row {
    std::string name;     ///< metric, slice, runs
    std::string outcome;  ///< equivalent, different, undecided, not_finite, missing
    std::optional<double> estimate, low, high;  ///< in margins; nullopt: there is none
  };
  std::vector<Row> rows;
};

}  // namespace twinrun::harness
