#include "harness/stats/cluster_sums.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "harness/stats/interval.h"

namespace twinrun::harness {

ClusterSums cluster_sums(std::span<const double> differences,
                         std::span<const std::int64_t> clusters) {
  require_finite(differences, "difference");
  if (!clusters.empty() && clusters.size() != differences.size()) {
    throw std::invalid_argument(std::to_string(clusters.size()) + " names of clusters, but " +
                                std::to_string(differences.size()) + " differences");
  }
  ClusterSums sums;
  double largest = 0;
  for (const double x : differences) {
    largest = std::max(largest, std::abs(x));
    sums.all_equal = sums.all_equal && x == differences.front();
  }
  const int exponent = largest > 0 ? std::ilogb(largest) : 0;
  sums.unit = std::scalbn(1.0, exponent);
  std::unordered_map<std::int64_t, std::size_t> places;
  for (std::size_t i = 0; i < differences.size(); ++i) {
    std::size_t place = i;
    if (!clusters.empty()) place = places.try_emplace(clusters[i], places.size()).first->second;
    if (place == sums.sum.size()) {
      sums.sum.push_back(0);
      sums.size.push_back(0);
    }
    sums.sum[place] += std::scalbn(differences[i], -exponent);
    sums.size[place] += 1;
  }
  return sums;
}

}  // namespace twinrun::harness
