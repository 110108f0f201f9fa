#include "harness/stats/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "harness/stats/cluster_sums.h"
#include "harness/stats/random.h"

namespace twinrun::harness {
namespace {

using Counts = std::vector<std::int64_t>;

/// What is off the estimate in each cluster, and how much the cluster weighs.
struct Residuals {
  std::vector<double> residual, size;
  double rounding = 0;  ///< a mean of residuals that is no larger is 0

  void add(double value, double weight) {
    residual.push_back(value);
    size.push_back(weight);
    largest_ = std::max(largest_, std::abs(value));
  }
  /// `magnitude`: of what the residuals were formed from.
  void finish(double magnitude) {
    const double epsilon = std::numeric_limits<double>::epsilon();
    rounding = 2 * static_cast<double>(residual.size()) * epsilon * std::max(largest_, magnitude);
  }

 private:
  double largest_ = 0;
};

/// A mean of residuals and its standard error, 0 where they differ by rounding alone.
struct Mean {
  double value = 0, error = 0;
};

Mean mean_of(const Residuals& clusters, const Counts& counts) {
  double sum = 0, size = 0;
  for (std::size_t g = 0; g < counts.size(); ++g) {
    const auto count = static_cast<double>(counts[g]);
    sum += count * clusters.residual[g];
    size += count * clusters.size[g];
  }
  const double mean = sum / size;
  double squares = 0;
  for (std::size_t g = 0; g < counts.size(); ++g) {
    const double off = clusters.residual[g] - mean * clusters.size[g];
    squares += static_cast<double>(counts[g]) * off * off;
  }
  const auto number = static_cast<double>(counts.size());
  if (squares <= number * clusters.rounding * clusters.rounding) return {.value = mean, .error = 0};
  return {.value = mean, .error = std::sqrt(number / (number - 1) * squares) / size};
}

/// t of a draw; infinite if it is off and nothing in it varies.
double studentised(double off, double error, double rounding) {
  if (std::abs(off) <= rounding) return 0;
  if (error == 0) return std::copysign(std::numeric_limits<double>::infinity(), off);
  return off / error;
}

void draw(Random& random, Counts& counts) {
  std::fill(counts.begin(), counts.end(), 0);
  const auto bound = static_cast<std::uint32_t>(counts.size());
  for (std::uint32_t i = 0; i < bound; ++i) ++counts[random.below(bound)];
}

void require_countable(std::size_t clusters) {
  if (clusters > std::numeric_limits<std::uint32_t>::max()) {
    throw std::invalid_argument("more than 2^32 - 1 clusters");
  }
}

/// How many of the outermost t lie outside at either end.
std::size_t outer_ranks(double confidence, std::int64_t resamples) {
  require_inside_0_1(confidence, "confidence");
  constexpr double kRounded = 1 + 1e-12;  // 1 - 0.9 is less than 0.1
  const double ranks = (1 - confidence) / 2 * static_cast<double>(resamples + 1) * kRounded;
  if (!(ranks >= 1)) throw std::invalid_argument("too few resamples for that confidence");
  return static_cast<std::size_t>(ranks);
}

/// An estimate with what the draws say about it.
struct Studentised {
  double estimate = 0, error = 0;
  std::vector<double> t;  ///< empty if error is 0: nothing varies

  std::optional<Interval> interval(std::size_t outer) {
    if (error == 0) return Interval{estimate, estimate, estimate};
    std::sort(t.begin(), t.end());
    const double low = estimate - t[t.size() - outer] * error;
    const double high = estimate - t[outer - 1] * error;
    if (!std::isfinite(low) || !std::isfinite(high)) return std::nullopt;
    return Interval{estimate, low, high};
  }
};

/// nullopt if there are fewer than 2 clusters.
std::optional<Studentised> studentised_mean(std::span<const double> differences,
                                            std::span<const std::int64_t> clusters,
                                            std::int64_t resamples, std::uint64_t seed) {
  const ClusterSums sums = cluster_sums(differences, clusters);
  require_countable(sums.sum.size());
  if (sums.sum.size() < 2) return std::nullopt;
  if (sums.all_equal) return Studentised{differences.front(), 0, {}};
  const double mean = std::accumulate(sums.sum.begin(), sums.sum.end(), 0.0) /
                      static_cast<double>(differences.size());
  Residuals residuals;
  double magnitude = 0;
  for (std::size_t g = 0; g < sums.sum.size(); ++g) {
    residuals.add(sums.sum[g] - mean * sums.size[g], sums.size[g]);
    magnitude = std::max(magnitude, 2 * sums.size[g]);  // a difference is below 2 units
  }
  residuals.finish(magnitude);
  Counts counts(sums.sum.size(), 1);
  const double error = mean_of(residuals, counts).error;
  Studentised found{mean * sums.unit, error * sums.unit, {}};
  if (error == 0) return found;
  Random random(seed);
  for (std::int64_t i = 0; i < resamples; ++i) {
    draw(random, counts);
    const Mean drawn = mean_of(residuals, counts);
    found.t.push_back(studentised(drawn.value, drawn.error, residuals.rounding));
  }
  return found;
}

double finite_statistic(const ClusterStatistic& statistic, const Counts& counts) {
  const double value = statistic(counts);
  if (!std::isfinite(value)) {
    throw std::invalid_argument("the statistic of a draw of clusters is not finite");
  }
  return value;
}

/// What leaving each cluster out changes, times their number less one: Efron and Tibshirani,
/// section 11.5. Its mean has the jackknife's standard error.
Residuals influences(const ClusterStatistic& statistic, std::size_t clusters, double estimate) {
  std::vector<double> without;
  Counts counts(clusters, 1);
  double magnitude = std::abs(estimate), sum = 0;
  for (std::size_t g = 0; g < clusters; ++g) {
    counts[g] = 0;
    without.push_back(finite_statistic(statistic, counts));
    counts[g] = 1;
    sum += without.back() - estimate;
    magnitude = std::max(magnitude, std::abs(without.back()));
  }
  const double mean = estimate + sum / static_cast<double>(clusters);
  Residuals residuals;
  const auto others = static_cast<double>(clusters - 1);
  for (const double value : without) residuals.add(others * (mean - value), 1);
  residuals.finish(others * magnitude);
  return residuals;
}

std::optional<Studentised> studentised_statistic(std::size_t clusters,
                                                 const ClusterStatistic& statistic,
                                                 std::int64_t resamples, std::uint64_t seed) {
  require_countable(clusters);
  if (clusters < 2) return std::nullopt;
  Counts counts(clusters, 1);
  const double estimate = finite_statistic(statistic, counts);
  const Residuals residuals = influences(statistic, clusters, estimate);
  Studentised found{estimate, mean_of(residuals, counts).error, {}};
  if (found.error == 0) return found;
  const double rounding = residuals.rounding / static_cast<double>(clusters - 1);
  Random random(seed);
  for (std::int64_t i = 0; i < resamples; ++i) {
    draw(random, counts);
    const double off = finite_statistic(statistic, counts) - estimate;
    found.t.push_back(studentised(off, mean_of(residuals, counts).error, rounding));
  }
  return found;
}

}  // namespace

std::optional<Interval> bootstrap_t_interval(std::span<const double> differences,
                                             std::span<const std::int64_t> clusters,
                                             double confidence, std::int64_t resamples,
                                             std::uint64_t seed) {
  const std::size_t outer = outer_ranks(confidence, resamples);
  std::optional<Studentised> found = studentised_mean(differences, clusters, resamples, seed);
  return found ? found->interval(outer) : std::nullopt;
}

std::optional<Interval> bootstrap_interval(std::size_t clusters, const ClusterStatistic& statistic,
                                           double confidence, std::int64_t resamples,
                                           std::uint64_t seed) {
  const std::size_t outer = outer_ranks(confidence, resamples);
  std::optional<Studentised> found = studentised_statistic(clusters, statistic, resamples, seed);
  return found ? found->interval(outer) : std::nullopt;
}

}  // namespace twinrun::harness
