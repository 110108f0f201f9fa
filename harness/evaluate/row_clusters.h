#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "harness/protocol/eval.h"

namespace twinrun::harness {

/// How many independent parts rows consist of: rows of one `cluster` (questions about one text) are
/// one, a row that names none is one.
struct RowClusters {
  std::int64_t rows = 0, clusters = 0;
  std::int64_t largest = 0;  ///< rows of the largest

  bool independent() const { return clusters == rows; }
  /// Rows of the largest over those of the mean: what one cluster weighs at most.
  double largest_by_mean() const {
    return static_cast<double>(largest) * static_cast<double>(clusters) / static_cast<double>(rows);
  }
};

/// The cluster of each row, numbered from 0 in the order of their first rows.
std::vector<std::int64_t> cluster_numbers(std::span<const protocol::EvalItem> rows);

/// Of rows with such numbers, all or some of them.
RowClusters count_clusters(std::span<const std::int64_t> numbers);

}  // namespace twinrun::harness
