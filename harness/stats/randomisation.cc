#include "harness/stats/randomisation.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "harness/stats/cluster_sums.h"
#include "harness/stats/random.h"

namespace twinrun::harness {
namespace {

/// A bit a cluster, 64 of a random number.
void draw(Random& random, std::vector<std::uint8_t>& swapped) {
  std::uint64_t bits = 0;
  for (std::size_t g = 0; g < swapped.size(); ++g) {
    if (g % 64 == 0) bits = random.next();
    swapped[g] = static_cast<std::uint8_t>(bits & 1);
    bits >>= 1;
  }
}

/// Of absolute values, the first of which was seen.
double p_of(const std::vector<double>& values) {
  const double largest = *std::max_element(values.begin(), values.end());
  if (largest == 0) return 1;
  const auto number = [largest](double value) { return std::floor(value / largest * 0x1p32); };
  const double least = number(values.front()) - 1;
  const auto extreme = std::count_if(values.begin(), values.end(),
                                     [&](double value) { return number(value) >= least; });
  return static_cast<double>(extreme) / static_cast<double>(values.size());
}

}  // namespace

double swap_p(std::size_t clusters, const SwapStatistic& statistic, std::int64_t draws,
              std::uint64_t seed) {
  if (draws < 1) throw std::invalid_argument("the number of draws is below 1");
  std::vector<std::uint8_t> swapped(clusters, 0);
  std::vector<double> values;
  Random random(seed);
  for (std::int64_t i = 0; i <= draws; ++i) {
    if (i > 0) draw(random, swapped);
    const double value = std::abs(statistic(swapped));
    if (!std::isfinite(value)) {
      throw std::invalid_argument("the statistic of swapped answers is not finite");
    }
    values.push_back(value);
  }
  return p_of(values);
}

double sign_flip_p(std::span<const double> differences, std::span<const std::int64_t> clusters,
                   std::int64_t draws, std::uint64_t seed) {
  std::vector<double> sums = cluster_sums(differences, clusters).sum;
  std::erase(sums, 0.0);
  const SwapStatistic sum = [&sums](std::span<const std::uint8_t> swapped) {
    double total = 0;
    for (std::size_t g = 0; g < sums.size(); ++g) total += swapped[g] != 0 ? -sums[g] : sums[g];
    return total;
  };
  return swap_p(sums.size(), sum, draws, seed);
}

}  // namespace twinrun::harness
