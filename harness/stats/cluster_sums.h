#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace twinrun::harness {

/// Sums of differences by cluster, over `unit`, a power of two that keeps their squares in range.
struct ClusterSums {
  std::vector<double> sum, size;  ///< one a cluster, in the order of their first items
  double unit = 1;
  bool all_equal = true;  ///< the differences
};

/// `clusters`, one a difference, names the cluster of each; empty: every difference is one.
/// Throws std::invalid_argument if a difference is not finite or `clusters` has another number of
/// items.
ClusterSums cluster_sums(std::span<const double> differences,
                         std::span<const std::int64_t> clusters);

}  // namespace twinrun::harness
