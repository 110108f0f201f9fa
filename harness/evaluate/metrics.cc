#include "harness/evaluate/metrics.h"

#include <algorithm>
#include <vector>

#include "harness/evaluate/scores.h"
#include "harness/stats/bootstrap.h"
#include "harness/stats/paired_t.h"
#include "harness/stats/randomisation.h"
#include "harness/stats/tango.h"
#include "harness/stats/text_scores.h"

namespace twinrun::harness {
namespace {

using protocol::EvalItem;
using Rows = std::span<const EvalItem>;

Interval in_points(const Interval& share) {
  return {100 * share.estimate, 100 * share.low, 100 * share.high};
}

/// Of so many clusters that all score the same in both: so few at most do not, each of which is
/// moved by 1 at most.
Interval all_alike(std::int64_t clusters, double largest_by_mean, double confidence) {
  const double share = tango_interval(0, 0, clusters, confidence).high * largest_by_mean;
  const double points = 100 * std::min(share, 1.0);
  return {0, -points, points};
}

MetricDifference all_alike(const RowClusters& rows, double confidence) {
  return {all_alike(rows.clusters, rows.largest_by_mean(), confidence), 1};
}

std::optional<MetricDifference> of_losses(Rows a, Rows b, double confidence, std::string& why) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.size(); ++i) differences.push_back(b[i].loss() - a[i].loss());
  const auto clusters = cluster_numbers(a);
  const auto mean = count_clusters(clusters).independent() ? paired_mean(differences)
                                                           : clustered_mean(differences, clusters);
  if (!mean) {
    why = "it takes two rows at least; of rows with clusters, two clusters that differ otherwise";
    return std::nullopt;
  }
  return MetricDifference{t_interval(*mean, confidence), t_p_value(*mean)};
}

/// Where no cluster was moved otherwise than the rest, no draw tells how far one may be: `alike`
/// does, of clusters without any difference.
std::optional<MetricDifference> of_draws(const std::optional<Interval>& interval,
                                         const MetricDifference& alike, double p,
                                         std::string& why) {
  if (!interval) {
    why = "too few rows differ to tell by how much";
    return std::nullopt;
  }
  Interval points = in_points(*interval);
  if (points.low == points.high) {
    points.low += alike.interval.low;
    points.high += alike.interval.high;
  }
  return MetricDifference{points, p};
}

/// Of a score between 0 and 1 of each row.
template <typename Score>
std::optional<MetricDifference> of_scores(Rows a, Rows b, Score score, double confidence,
                                          std::string& why) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.size(); ++i) differences.push_back(score(b[i]) - score(a[i]));
  const auto clusters = cluster_numbers(a);
  const MetricDifference alike = all_alike(count_clusters(clusters), confidence);
  if (std::all_of(differences.begin(), differences.end(), [](double d) { return d == 0; })) {
    return alike;
  }
  return of_draws(bootstrap_t_interval(differences, clusters, confidence, kDraws, kDrawsSeed),
                  alike, sign_flip_p(differences, clusters, kDraws, kDrawsSeed), why);
}

std::optional<MetricDifference> of_token_f1(Rows a, Rows b, double confidence, std::string& why) {
  const auto score = [](const EvalItem& row) { return token_f1(*row.answer, row.reference); };
  return of_scores(a, b, score, confidence, why);
}

std::optional<MetricDifference> of_matches(Rows a, Rows b, double confidence, std::string& why) {
  const auto matches = [](const EvalItem& row) { return exact_match(*row.answer, row.reference); };
  if (!count_clusters(cluster_numbers(a)).independent()) {
    const auto score = [&](const EvalItem& row) { return matches(row) ? 1.0 : 0.0; };
    return of_scores(a, b, score, confidence, why);
  }
  std::int64_t only_a = 0, only_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    only_a += matches(a[i]) && !matches(b[i]) ? 1 : 0;
    only_b += matches(b[i]) && !matches(a[i]) ? 1 : 0;
  }
  const auto rows = static_cast<std::int64_t>(a.size());
  return MetricDifference{in_points(tango_interval(only_a, only_b, rows, confidence)),
                          mcnemar_p(only_a, only_b)};
}

LabelIndices labels_of(Rows rows) {
  std::vector<std::string> answers, references;
  for (const EvalItem& row : rows) {
    answers.push_back(*row.answer);
    references.push_back(row.reference);
  }
  return label_indices(answers, references);
}

/// The rows of each cluster.
using Members = std::vector<std::vector<std::size_t>>;

Members members_of(Rows rows) {
  const auto numbers = cluster_numbers(rows);
  Members members(static_cast<std::size_t>(count_clusters(numbers).clusters));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    members[static_cast<std::size_t>(numbers[i])].push_back(i);
  }
  return members;
}

/// Of "it makes no difference which run gave which of the two answers to the rows of a cluster".
double swap_p_of_macro_f1(const LabelIndices& a, const LabelIndices& b, const Members& members) {
  Members differ;
  for (const auto& rows : members) {
    const auto differs = [&](std::size_t row) { return a.answers[row] != b.answers[row]; };
    if (std::any_of(rows.begin(), rows.end(), differs)) differ.push_back(rows);
  }
  const std::vector<std::int64_t> once(a.answers.size(), 1);
  LabelIndices first = a, second = b;
  const SwapStatistic difference = [&](std::span<const std::uint8_t> swapped) {
    for (std::size_t g = 0; g < differ.size(); ++g) {
      for (const std::size_t row : differ[g]) {
        first.answers[row] = swapped[g] != 0 ? b.answers[row] : a.answers[row];
        second.answers[row] = swapped[g] != 0 ? a.answers[row] : b.answers[row];
      }
    }
    return macro_f1(second, once) - macro_f1(first, once);
  };
  return swap_p(differ.size(), difference, kDraws, kDrawsSeed);
}

/// One label may hang on as few rows as it has: the widest of theirs.
MetricDifference all_alike_by_label(const LabelIndices& answers, Rows rows, double confidence) {
  const auto numbers = cluster_numbers(rows);
  MetricDifference widest;
  for (std::int32_t label = 0; label < answers.labels; ++label) {
    std::vector<std::int64_t> clusters;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (answers.references[i] == label) clusters.push_back(numbers[i]);
    }
    const auto of_label = all_alike(count_clusters(clusters), confidence);
    if (of_label.interval.high > widest.interval.high) widest = of_label;
  }
  return widest;
}

std::optional<MetricDifference> of_macro_f1(Rows a, Rows b, double confidence, std::string& why) {
  const LabelIndices of_a = labels_of(a), of_b = labels_of(b);
  const MetricDifference alike = all_alike_by_label(of_a, a, confidence);
  if (of_a.answers == of_b.answers) return alike;
  const Members members = members_of(a);
  std::vector<std::int64_t> times(a.size());
  const ClusterStatistic difference = [&](std::span<const std::int64_t> counts) {
    for (std::size_t g = 0; g < members.size(); ++g) {
      for (const std::size_t row : members[g]) times[row] = counts[g];
    }
    return macro_f1(of_b, times) - macro_f1(of_a, times);
  };
  return of_draws(bootstrap_interval(members.size(), difference, confidence, kDraws, kDrawsSeed),
                  alike, swap_p_of_macro_f1(of_a, of_b, members), why);
}

}  // namespace

std::optional<MetricDifference> metric_difference(const std::string& metric, Rows a, Rows b,
                                                  double confidence, std::string& why) {
  if (a.empty()) {
    why = "there are no rows";
    return std::nullopt;
  }
  if (metric == kHeldoutLoss) return of_losses(a, b, confidence, why);
  const auto answered = [](const EvalItem& row) { return row.answer.has_value(); };
  if (!std::all_of(a.begin(), a.end(), answered) || !std::all_of(b.begin(), b.end(), answered)) {
    why = "the rows have no answers: evaluation.max_new_tokens";
    return std::nullopt;
  }
  if (metric == kTokenF1) return of_token_f1(a, b, confidence, why);
  if (metric == kExactMatch) return of_matches(a, b, confidence, why);
  if (!are_labels(a)) {
    why = "the references are no labels: more than " + std::to_string(kLabelsMax) +
          ", or more than one for two rows";
    return std::nullopt;
  }
  return metric == kAccuracy ? of_matches(a, b, confidence, why)
                             : of_macro_f1(a, b, confidence, why);
}

std::optional<double> value_of(const std::string& metric, Rows rows) {
  if (metric == kHeldoutLoss) {
    double sum = 0;
    for (const EvalItem& row : rows) sum += row.loss();
    return sum / static_cast<double>(rows.size());
  }
  const SliceScores scores = score_slices(rows).front();
  if (metric == kExactMatch) return scores.exact_match;
  if (metric == kTokenF1) return scores.token_f1;
  return metric == kAccuracy ? scores.accuracy : scores.macro_f1;
}

std::optional<double> least_margin(const std::string& metric, std::int64_t clusters,
                                   double largest_by_mean, double confidence) {
  if (metric != kExactMatch && metric != kAccuracy && metric != kTokenF1) return std::nullopt;
  return all_alike(clusters, largest_by_mean, confidence).high;
}

}  // namespace twinrun::harness
