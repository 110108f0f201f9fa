#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "harness/stats/interval.h"

namespace twinrun::harness {

/// The mean of paired differences and how well it is known.
struct MeanDifference {
  double mean = 0;
  double error = 0;        ///< standard error of the mean; 0 iff all differences are equal
  double freedom = 0;      ///< degrees of freedom of Student's t
  double correlation = 0;  ///< of neighbours, as it was allowed for; 0 where order means nothing
};

/// Of differences that are independent of each other (a document each, a pair of runs each) and
/// nearly normal, or many. Student, "The probable error of a mean", Biometrika 6, 1908.
///
/// nullopt if there are fewer than 2. Throws std::invalid_argument if one is not finite, or the
/// result is too large for a double.
std::optional<MeanDifference> paired_mean(std::span<const double> differences);

/// As paired_mean, of differences that are independent of each other by cluster alone (the rows of
/// one document): the mean is that of all differences, its error that of a ratio of sums over
/// clusters, with (clusters - 1) degrees of freedom. `clusters`, one a difference, names the
/// cluster of each. Liang and Zeger, "Longitudinal data analysis using generalized linear models",
/// Biometrika 73, 1986, with the usual factor clusters / (clusters - 1). Where every cluster is one
/// difference it is paired_mean. The interval is exact for normal clusters of one size, and too
/// narrow for few of sizes far apart.
///
/// nullopt if there are fewer than 2 clusters, or if differences cancel in every one of them, so
/// that nothing tells how clusters scatter. Throws as paired_mean does, and if `clusters` has
/// another number of items.
std::optional<MeanDifference> clustered_mean(std::span<const double> differences,
                                             std::span<const std::int64_t> clusters);

/// Of differences in the order of time (the steps of a curve), neighbours of which are alike. As
/// paired_mean, but n of them count as c = n (1 - r) / (1 + r), with c - 1 degrees of freedom: the
/// variance of a mean of n values, of deviation s and correlation r of neighbours, is s^2 / c for
/// large n. Bayley and Hammersley, "The effective number of independent observations in an
/// autocorrelated time series", Supplement to the J. of the Royal Statistical Society 8, 1946.
///
/// Neither s nor r is seen as it is, since the mean of the series follows the series:
///  r  is seen too low. If w is the mean of the n - 1 products of neighbouring deviations over the
///     mean of the n squares, its expectation is r - (1 + 3 r) / (n - 1) but for terms of 1 / n^2:
///     Marriott and Pope, "Bias in the estimation of autocorrelations", and Kendall, "Note on bias
///     in the estimation of autocorrelation", both Biometrika 41, 1954. Solved for r:
///     r = ((n - 1) w + 1) / (n - 4). With v = w (n - 1) / n, the ratio of the sums (Box and
///     Jenkins, "Time series analysis", section 2.1.5), that is (n v + 1) / (n - 4), and the
///     expectation of v is r - (1 + 4 r) / n. Below 0 it is taken as 0.
///  s  the sum of squares falls short of n s^2 by n times the variance of the mean, so that its
///     expectation is n s^2 (1 - 1 / c). The squared error s^2 / c is that sum / (n (c - 1)).
/// Without correlation, c = n, both give what paired_mean does.
///
/// It takes one degree of freedom, as two independent differences have: nullopt if c < 2, if r >= 1
/// or if n < 5. Where all are equal there is no r, and the mean is that of n. How far short series
/// stay from the stated confidence: docs/statistics.md. Throws as paired_mean does.
std::optional<MeanDifference> series_mean(std::span<const double> differences);

/// Student's interval. Where all differences are equal it is the point: nothing was seen to vary.
/// Throws std::invalid_argument unless `confidence` lies inside (0, 1).
Interval t_interval(const MeanDifference& difference, double confidence);

/// Two-sided p of "the mean is 0". All differences equal: 1 where they are 0, else 0.
double t_p_value(const MeanDifference& difference);

}  // namespace twinrun::harness
