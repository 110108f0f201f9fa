#include "harness/stats/holm.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <stdexcept>
#include <string>

namespace twinrun::harness {

std::vector<double> holm_adjusted(std::span<const double> p) {
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (!(p[i] >= 0 && p[i] <= 1)) {
      throw std::invalid_argument("p-value " + std::to_string(i) + " is not inside [0, 1]");
    }
  }
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [p](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double largest = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const double raised = static_cast<double>(order.size() - k) * p[order[k]];
    largest = std::max(largest, std::min(raised, 1.0));
    adjusted[order[k]] = largest;
  }
  return adjusted;
}

}  // namespace twinrun::harness
