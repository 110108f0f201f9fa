#include "harness/stats/paired_t.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <stdexcept>

#include "harness/stats/cluster_sums.h"

namespace twinrun::harness {
namespace {

using StudentsT = boost::math::students_t_distribution<double>;

/// Sums over the differences less their mean, over the largest of them so that no square leaves the
/// range of a double.
struct Deviations {
  double mean = 0;
  double scale = 0;       ///< 0: all differences are equal
  double squares = 0;     ///< of deviation / scale
  double neighbours = 0;  ///< products of one with the next
};

Deviations deviations(std::span<const double> differences) {
  require_finite(differences, "difference");
  const double first = differences.front();
  Deviations sums;
  // From the first, so that equal differences have exactly their value as their mean.
  for (const double x : differences)
    sums.mean += (x - first) / static_cast<double>(differences.size());
  sums.mean += first;
  const bool equal =
      std::all_of(differences.begin(), differences.end(), [first](double x) { return x == first; });
  if (equal) return sums;
  for (const double x : differences) sums.scale = std::max(sums.scale, std::abs(x - sums.mean));
  if (!std::isfinite(sums.mean) || !std::isfinite(sums.scale)) {
    throw std::invalid_argument("the differences are too large");
  }
  double before = 0;
  for (const double x : differences) {
    const double deviation = (x - sums.mean) / sums.scale;
    sums.squares += deviation * deviation;
    sums.neighbours += deviation * before;
    before = deviation;
  }
  return sums;
}

std::optional<MeanDifference> mean_of(std::size_t n, const Deviations& sums, double correlation) {
  const auto number = static_cast<double>(n);
  const double freedom = number * (1 - correlation) / (1 + correlation) - 1;
  if (!(freedom >= 1)) return std::nullopt;
  return MeanDifference{.mean = sums.mean,
                        .error = sums.scale * std::sqrt(sums.squares / number / freedom),
                        .freedom = freedom,
                        .correlation = correlation};
}

/// nullopt if there are too few to tell.
std::optional<double> correlation_of(std::size_t n, const Deviations& sums) {
  if (n < 5) return std::nullopt;
  if (sums.scale == 0) return 0;
  const auto number = static_cast<double>(n);
  const double seen = sums.neighbours / sums.squares;
  return std::max((number * seen + 1) / (number - 4), 0.0);
}

}  // namespace

std::optional<MeanDifference> paired_mean(std::span<const double> differences) {
  if (differences.empty()) return std::nullopt;
  return mean_of(differences.size(), deviations(differences), 0);
}

std::optional<MeanDifference> clustered_mean(std::span<const double> differences,
                                             std::span<const std::int64_t> clusters) {
  if (differences.empty()) return std::nullopt;
  const ClusterSums sums = cluster_sums(differences, clusters);
  const std::size_t count = sums.sum.size();
  if (count < 2) return std::nullopt;
  const auto freedom = static_cast<double>(count - 1);
  if (sums.all_equal) return MeanDifference{.mean = differences.front(), .freedom = freedom};
  const auto n = static_cast<double>(differences.size());
  const double mean = std::accumulate(sums.sum.begin(), sums.sum.end(), 0.0) / n;
  double squares = 0;
  for (std::size_t g = 0; g < count; ++g) {
    const double residual = sums.sum[g] - mean * sums.size[g];
    squares += residual * residual;
  }
  if (squares == 0) return std::nullopt;
  const double error = std::sqrt(squares * static_cast<double>(count) / freedom) / n;
  return MeanDifference{.mean = mean * sums.unit, .error = error * sums.unit, .freedom = freedom};
}

std::optional<MeanDifference> series_mean(std::span<const double> differences) {
  if (differences.empty()) return std::nullopt;
  const Deviations sums = deviations(differences);
  const std::optional<double> correlation = correlation_of(differences.size(), sums);
  return correlation ? mean_of(differences.size(), sums, *correlation) : std::nullopt;
}

Interval t_interval(const MeanDifference& difference, double confidence) {
  require_inside_0_1(confidence, "confidence");
  if (difference.error == 0) return {difference.mean, difference.mean, difference.mean};
  const double critical = quantile(complement(StudentsT(difference.freedom), (1 - confidence) / 2));
  const double half = critical * difference.error;
  return {difference.mean, difference.mean - half, difference.mean + half};
}

double t_p_value(const MeanDifference& difference) {
  if (difference.error == 0) return difference.mean == 0 ? 1 : 0;
  const double t = std::abs(difference.mean / difference.error);
  return 2 * cdf(complement(StudentsT(difference.freedom), t));
}

}  // namespace twinrun::harness
