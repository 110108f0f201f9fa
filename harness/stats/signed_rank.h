#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace twinrun::harness {

// The centre of a few differences whose distribution nobody knows but that it is symmetric, and how
// well it is known. Hollander and Wolfe, "Nonparametric Statistical Methods", section 3.

/// The n (n + 1) / 2 averages (x_i + x_j) / 2 with i <= j, ascending.
/// Throws std::invalid_argument if a value is not finite.
std::vector<double> walsh_averages(std::span<const double> values);

/// P(T <= t) of Wilcoxon's signed-rank statistic of n values without ties, symmetric about 0: the
/// share of the subsets of {1, ..., n} whose sum is at most t. Exact but for the rounding of sums
/// of doubles below 1 (1e-12 for 100 values); n^3 / 6 steps.
double signed_rank_cdf(std::size_t n, long long t);

struct RankInterval {
  double estimate = 0;  ///< Hodges-Lehmann: the median of the Walsh averages
  double low = 0, high = 0;
  double confidence = 0;  ///< that the interval really has: at least what was asked for
};

/// The interval of centres that the signed-rank test does not reject at 1 - `confidence`,
/// two-sided: from one Walsh average to another. Where values are equal its confidence is at least
/// the stated one, since the ends belong to it.
///
/// nullopt if there are too few values for any interval of that confidence (95 % takes 6).
/// Throws std::invalid_argument if a value is not finite or `confidence` is not inside (0, 1).
std::optional<RankInterval> signed_rank_interval(std::span<const double> values, double confidence);

}  // namespace twinrun::harness
