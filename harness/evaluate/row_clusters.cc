#include "harness/evaluate/row_clusters.h"

#include <algorithm>
#include <string>
#include <unordered_map>

namespace twinrun::harness {

std::vector<std::int64_t> cluster_numbers(std::span<const protocol::EvalItem> rows) {
  std::unordered_map<std::string, std::int64_t> named;
  std::vector<std::int64_t> numbers;
  std::int64_t next = 0;
  for (const protocol::EvalItem& row : rows) {
    const bool first = !row.cluster || named.try_emplace(*row.cluster, next).second;
    numbers.push_back(first ? next++ : named.at(*row.cluster));
  }
  return numbers;
}

RowClusters count_clusters(std::span<const std::int64_t> numbers) {
  std::unordered_map<std::int64_t, std::int64_t> sizes;
  RowClusters found{static_cast<std::int64_t>(numbers.size()), 0, 0};
  for (const std::int64_t number : numbers) {
    found.largest = std::max(found.largest, ++sizes[number]);
  }
  found.clusters = static_cast<std::int64_t>(sizes.size());
  return found;
}

}  // namespace twinrun::harness
