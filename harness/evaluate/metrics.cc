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

MetricDifference of_matches(Rows a, Rows b, double confidence) {
  std::int64_t only_a = 0, only_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool in_a = exact_match(*a[i].answer, a[i].reference);
    const bool in_b = exact_match(*b[i].answer, b[i].reference);
    only_a += in_a && !in_b ? 1 : 0;
    only_b += in_b && !in_a ? 1 : 0;
  }
  const auto rows = static_cast<std::int64_t>(a.size());
  return {in_points(tango_interval(only_a, only_b, rows, confidence)), mcnemar_p(only_a, only_b)};
}

/// Of `rows` that all score the same in both: so few at most do not, each of which is moved by 1 at
/// most.
MetricDifference all_alike(std::int64_t rows, double confidence) {
  return {in_points(tango_interval(0, 0, rows, confidence)), 1};
}

std::optional<MetricDifference> of_losses(Rows a, Rows b, double confidence, std::string& why) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.size(); ++i) differences.push_back(b[i].loss() - a[i].loss());
  const auto mean = paired_mean(differences);
  if (!mean) {
    why = "it takes two rows at least";
    return std::nullopt;
  }
  return MetricDifference{t_interval(*mean, confidence), t_p_value(*mean)};
}

std::optional<MetricDifference> of_draws(const std::optional<Interval>& interval, double p,
                                         std::string& why) {
  if (!interval) {
    why = "too few rows differ to tell by how much";
    return std::nullopt;
  }
  return MetricDifference{in_points(*interval), p};
}

std::optional<MetricDifference> of_token_f1(Rows a, Rows b, double confidence, std::string& why) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.size(); ++i) {
    differences.push_back(token_f1(*b[i].answer, b[i].reference) -
                          token_f1(*a[i].answer, a[i].reference));
  }
  if (std::all_of(differences.begin(), differences.end(), [](double d) { return d == 0; })) {
    return all_alike(static_cast<std::int64_t>(a.size()), confidence);
  }
  return of_draws(bootstrap_t_interval(differences, {}, confidence, kDraws, kDrawsSeed),
                  sign_flip_p(differences, {}, kDraws, kDrawsSeed), why);
}

LabelIndices labels_of(Rows rows) {
  std::vector<std::string> answers, references;
  for (const EvalItem& row : rows) {
    answers.push_back(*row.answer);
    references.push_back(row.reference);
  }
  return label_indices(answers, references);
}

/// Of "it makes no difference which run gave which of the two answers to a row".
double swap_p_of_macro_f1(const LabelIndices& a, const LabelIndices& b) {
  std::vector<std::size_t> differ;
  for (std::size_t i = 0; i < a.answers.size(); ++i) {
    if (a.answers[i] != b.answers[i]) differ.push_back(i);
  }
  const std::vector<std::int64_t> once(a.answers.size(), 1);
  LabelIndices first = a, second = b;
  const SwapStatistic difference = [&](std::span<const std::uint8_t> swapped) {
    for (std::size_t g = 0; g < differ.size(); ++g) {
      const std::size_t row = differ[g];
      first.answers[row] = swapped[g] != 0 ? b.answers[row] : a.answers[row];
      second.answers[row] = swapped[g] != 0 ? a.answers[row] : b.answers[row];
    }
    return macro_f1(second, once) - macro_f1(first, once);
  };
  return swap_p(differ.size(), difference, kDraws, kDrawsSeed);
}

std::optional<MetricDifference> of_macro_f1(Rows a, Rows b, double confidence, std::string& why) {
  const LabelIndices of_a = labels_of(a), of_b = labels_of(b);
  if (of_a.answers == of_b.answers) {
    // One label may hang on as few rows as it has.
    std::vector<std::int64_t> rows(static_cast<std::size_t>(of_a.labels));
    for (const std::int32_t label : of_a.references) ++rows[static_cast<std::size_t>(label)];
    return all_alike(*std::min_element(rows.begin(), rows.end()), confidence);
  }
  const ClusterStatistic difference = [&](std::span<const std::int64_t> counts) {
    return macro_f1(of_b, counts) - macro_f1(of_a, counts);
  };
  return of_draws(bootstrap_interval(a.size(), difference, confidence, kDraws, kDrawsSeed),
                  swap_p_of_macro_f1(of_a, of_b), why);
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
  if (metric == kExactMatch) return of_matches(a, b, confidence);
  if (!are_labels(a)) {
    why = "the references are no labels: more than " + std::to_string(kLabelsMax) +
          ", or more than one for two rows";
    return std::nullopt;
  }
  return metric == kAccuracy ? of_matches(a, b, confidence) : of_macro_f1(a, b, confidence, why);
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

std::optional<double> least_margin(const std::string& metric, std::int64_t rows,
                                   double confidence) {
  if (metric != kExactMatch && metric != kAccuracy && metric != kTokenF1) return std::nullopt;
  return all_alike(rows, confidence).interval.high;
}

}  // namespace twinrun::harness
