#pragma once

#include <optional>
#include <span>
#include <string>

#include "harness/evaluate/row_clusters.h"
#include "harness/protocol/eval.h"
#include "harness/stats/interval.h"

namespace twinrun::harness {

// Metrics of held-out rows that a case may declare a margin for, in the unit of their names.
// Points are hundredths, of proportions and of F1.
inline constexpr const char* kHeldoutLoss = "heldout_loss_nats";
inline constexpr const char* kExactMatch = "exact_match_points";
inline constexpr const char* kTokenF1 = "token_f1_points";
inline constexpr const char* kAccuracy = "accuracy_points";
inline constexpr const char* kMacroF1 = "macro_f1_points";

/// Draws of a bootstrap and of a randomisation test, and their seed: part of what interval and p
/// are, so that they come out the same wherever they are computed.
inline constexpr std::int64_t kDraws = 10'000;
inline constexpr std::uint64_t kDrawsSeed = 1;

/// The same rows, of two runs: what the metric of b is more than that of a.
struct MetricDifference {
  Interval interval;
  double p = 1;  ///< two-sided, of "no difference"
};

/// By metric:
///  heldout_loss_nats   mean over the rows of their loss; Student's t of the paired differences
///  exact_match_points, accuracy_points (the same, of labels)
///                      Tango's score interval; McNemar's exact p
///  token_f1_points     studentised bootstrap of the paired differences; randomisation, the signs
///                      of differences by row
///  macro_f1_points     studentised bootstrap over the rows; randomisation, the answers to a row
///                      swapped between the runs
/// Where no row differs a bootstrap has nothing to draw, and Tango's interval for that case bounds
/// how many rows do at most, each moved by 1 at most; of macro F1, of the label with fewest rows.
///
/// Rows of one cluster are drawn, turned and swapped together; Student's t is that of
/// clustered_mean, and proportions are treated as token F1 is, since Tango's rows are independent.
/// No cluster differs: Tango's interval of as many, each as large as the largest; the same around
/// the difference where all are moved alike.
/// `confidence` is that of the two-sided interval.
///
/// nullopt where the rows are too few or do not have the metric; `why` says which. REQUIRES: the
/// same rows in both, every nll finite, a metric named above.
std::optional<MetricDifference> metric_difference(const std::string& metric,
                                                  std::span<const protocol::EvalItem> a,
                                                  std::span<const protocol::EvalItem> b,
                                                  double confidence, std::string& why);

/// What rows come to in it: heldout_loss_nats the mean of their losses, the rest as SliceScores.
/// nullopt where they do not have it. REQUIRES: a row, a metric named above.
std::optional<double> value_of(const std::string& metric, std::span<const protocol::EvalItem> rows);

/// The smallest margin of `metric` that rows of so many clusters can show if two runs agree in all
/// of them, at that confidence; nullopt where it hangs on how values scatter. `largest_by_mean` as
/// of RowClusters.
std::optional<double> least_margin(const std::string& metric, std::int64_t clusters,
                                   double largest_by_mean, double confidence);

}  // namespace twinrun::harness
