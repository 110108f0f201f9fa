#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "harness/stats/interval.h"

namespace twinrun::harness {

// How well a paired difference is known whose distribution nobody knows: most items score the same
// in both systems, a few do not, and to one side. Clusters of items (the questions about one text)
// are drawn again with replacement, whole, and of each draw not the difference is taken but how
// many of the standard errors of that draw it lies off: t. Ends are read off the ranks of t. Efron
// and Tibshirani, "An introduction to the bootstrap", section 12.5; Davison and Hinkley, "Bootstrap
// methods and their application", sections 2.4 and 5.2. Percentile intervals (BCa is one) cannot
// reach beyond the differences that were drawn, so that they are too narrow where few items differ:
// a draw then has a small difference and a small standard error, which t allows for.
//
// The same seed gives the same numbers (harness/stats/random.h), exactly negated if all differences
// are. Clusters have to be independent of each other. Where no cluster differs from another nothing
// was seen to vary, and the interval is the point; that no item of n differs says no more than that
// less than 3 / n of all do (binomial_upper).
//
// Intervals are two-sided, (1 - confidence) / 2 at either end. They are nullopt if there are fewer
// than 2 clusters, or if so few differ that more draws than that have no difference at all to
// measure theirs by, and no end can be told. A p is no business of a bootstrap: where a few
// clusters differ and all happened to do so one way, no draw knows that they might have gone the
// other. harness/stats/randomisation.h has one.
//
// Both throw std::invalid_argument if there are more than 2^32 - 1 clusters, `resamples` is so few
// that no rank has the confidence asked for (39 for 0.95; take 10,000), or `confidence` is not
// inside (0, 1).

/// Of the mean of `differences`, one an item. `clusters`, one an item, names the cluster of each;
/// empty: every item is one. The standard error is that of a ratio of sums over clusters.
///
/// Throws besides if a difference is not finite or `clusters` has another number of items.
std::optional<Interval> bootstrap_t_interval(std::span<const double> differences,
                                             std::span<const std::int64_t> clusters,
                                             double confidence, std::int64_t resamples,
                                             std::uint64_t seed);

/// The difference of two systems, cluster g being there counts[g] times. [clusters]
using ClusterStatistic = std::function<double(std::span<const std::int64_t> counts)>;

/// Of a statistic that is no mean (the difference of two macro F1). Standard errors come from the
/// jackknife: what leaving a cluster out changes is its influence, and the error of a draw is that
/// of the influences of the clusters in it. For a mean of clusters of one size that is
/// bootstrap_t_interval; for others it takes the influences to be about the same in every draw.
/// Calls `statistic` 1 + clusters + resamples times.
///
/// Throws besides if the statistic is not finite for any of these.
std::optional<Interval> bootstrap_interval(std::size_t clusters, const ClusterStatistic& statistic,
                                           double confidence, std::int64_t resamples,
                                           std::uint64_t seed);

}  // namespace twinrun::harness
