#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/bench/window.h"

namespace twinrun::harness {

/// Four windows, two of each arm: ABBA or BAAB, so that a drift that is straight meets both alike.
struct Block {
  std::string order;
  std::array<Window, 4> windows;

  /// Log of the arm's time over the reference's: the mean of the two neighbours' logs. Exchanging
  /// the arms changes its sign.
  double log_ratio() const;
  /// exclusion() of its first window that does not count; empty if all do.
  std::string excluded() const;
};

/// What the blocks of a comparison come to. Ratios are of step times, arm over reference.
struct Estimate {
  int blocks = 0;                       ///< that count
  std::map<std::string, int> excluded;  ///< reason to number of blocks
  /// Empty while there are too few blocks for an interval.
  std::optional<double> ratio, low, high;
  double half_width = 0;       ///< of the interval, as a fraction of the ratio
  double smallest_effect = 0;  ///< that would have been seen with probability 0.8

  int blocks_excluded() const;
  int blocks_tried() const { return blocks + blocks_excluded(); }
  /// Whether so many blocks count, or more, and the interval is so narrow, or narrower.
  bool precise(int blocks_least, double half_width_most) const;
};

/// Whether of the blocks that were tried no more were left out than settings.excluded_max.
bool enough_count(const Estimate& estimate, const BenchSettings& settings);

/// The fewest blocks that have an interval of this confidence: 6 of 95 %.
int blocks_for_interval(double confidence);

/// Sets the interval and what follows from it. REQUIRES: a ratio.
void set_interval(Estimate& estimate, double low, double high);

/// Hodges-Lehmann estimate of the blocks' log ratios with its signed-rank interval. A block whose
/// log ratio is not finite cannot be: windows have positive times.
Estimate estimate(const std::vector<Block>& blocks, double confidence);

}  // namespace twinrun::harness
