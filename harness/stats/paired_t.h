#pragma once

#include <optional>
#include <span>

#include "harness/stats/interval.h"

namespace twinrun::harness {

/// The mean of paired differences and how well it is known.
struct MeanDifference {
  double mean = 0;
  double error = 0;        ///< standard error of the mean; 0 iff all differences are equal
  double freedom = 0;      ///< degrees of freedom of Student's t
  double correlation = 0;  ///< lag-1, as it was allowed for; 0 where order means nothing
};

/// Of differences that are independent of each other (a document each, a pair of runs each) and
/// nearly normal, or many. Student, "The probable error of a mean", Biometrika 6, 1908.
///
/// nullopt if there are fewer than 2. Throws std::invalid_argument if one is not finite, or the
/// result is too large for a double.
std::optional<MeanDifference> paired_mean(std::span<const double> differences);

/// Of differences in the order of time (the steps of a curve), neighbours of which are alike: as
/// paired_mean, but n differences count as n (1 - r) / (1 + r), with as many degrees of freedom
/// less one; r is the estimated lag-1 correlation, at least 0. Bayley and Hammersley, "The
/// effective number of independent observations in an autocorrelated time series", Supplement to
/// the J. of the Royal Statistical Society 8, 1946; r as in Box and Jenkins, "Time series
/// analysis", section 2.1.5.
///
/// A short series shows less correlation than it has, so that the interval is too narrow:
/// docs/statistics.md has by how much. nullopt if fewer than 2 differences are left; throws as
/// paired_mean does.
std::optional<MeanDifference> series_mean(std::span<const double> differences);

/// Student's interval. Where all differences are equal it is the point: nothing was seen to vary.
/// Throws std::invalid_argument unless `confidence` lies inside (0, 1).
Interval t_interval(const MeanDifference& difference, double confidence);

/// Two-sided p of "the mean is 0". All differences equal: 1 where they are 0, else 0.
double t_p_value(const MeanDifference& difference);

}  // namespace twinrun::harness
