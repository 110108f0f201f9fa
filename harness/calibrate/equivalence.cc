#include "harness/calibrate/equivalence.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "harness/evaluate/metrics.h"
#include "harness/evaluate/row_clusters.h"
#include "harness/evaluate/scores.h"
#include "harness/report/text.h"
#include "harness/stats/equivalence.h"
#include "harness/stats/holm.h"
#include "harness/stats/paired_t.h"

namespace twinrun::harness {
namespace {

using protocol::EvalItem;

std::string word_of(Equivalence outcome) {
  switch (outcome) {
    case Equivalence::kEquivalent:
      return "equivalent";
    case Equivalence::kDifferent:
      return "different";
    case Equivalence::kUndecided:
      break;
  }
  return "undecided";
}

/// The last steps before `last`.
WindowCurves final_curves(const Candidate& candidate, std::int64_t last,
                          const StatisticsSettings& settings) {
  const std::int64_t first = std::max<std::int64_t>(1, last - settings.final_window_steps + 1);
  return read_window(candidate.run->dir / "steps.jsonl", {"final", 0, first, last});
}

/// Differences of the loss in the last steps, b - a.
std::vector<double> final_differences(const Candidate& a, const Candidate& b,
                                      const StatisticsSettings& settings) {
  const std::int64_t last = std::min(a.run->summary.last_step, b.run->summary.last_step);
  const WindowCurves of_a = final_curves(a, last, settings);
  const WindowCurves of_b = final_curves(b, last, settings);
  std::vector<double> differences;
  for (std::size_t i = 0; i < of_a.loss.size(); ++i) {
    differences.push_back(static_cast<double>(of_b.loss[i]) - static_cast<double>(of_a.loss[i]));
  }
  return differences;
}

/// What would decide it: a test at 5 % has a power of 80 % where the margin is 1.78 times half of
/// its interval, (z.95 + z.90) / z.95, if there is no difference; and that halves with four times
/// the values.
std::string undecided_note(const EquivalenceResult& result) {
  if (std::fabs(result.estimate) >= result.margin) return "the difference seen is not below it";
  const double half = (*result.high - *result.low) / 2;
  const double needed = static_cast<double>(result.n) * std::pow(1.78 * half / result.margin, 2);
  return "about " + number_text("%.0f", std::ceil(needed)) + " values like these would decide it";
}

void take_interval(const Interval& interval, EquivalenceResult& result) {
  result.estimate = interval.estimate;
  result.low = interval.low;
  result.high = interval.high;
  result.outcome = word_of(judge_equivalence(interval, result.margin));
  if (result.outcome == "undecided") result.note = undecided_note(result);
}

EquivalenceResult empty_result(const std::string& metric, const Candidate& a, const Candidate& b,
                               const StatisticsSettings& settings) {
  EquivalenceResult result;
  result.metric = metric;
  result.a = a.name;
  result.b = b.name;
  result.margin = settings.margins.at(metric);
  result.outcome = "undecided";
  return result;
}

EquivalenceResult final_loss(const Candidate& a, const Candidate& b,
                             const StatisticsSettings& settings) {
  EquivalenceResult result = empty_result(kFinalLoss, a, b, settings);
  const std::vector<double> differences = final_differences(a, b, settings);
  result.n = static_cast<std::int64_t>(differences.size());
  if (!std::all_of(differences.begin(), differences.end(),
                   [](double difference) { return std::isfinite(difference); })) {
    result.outcome = "not_finite";
    result.note = "a loss is not finite";
    return result;
  }
  const auto mean = series_mean(differences);
  if (!mean) {
    result.note = "too few steps: make final_window_steps longer";
    return result;
  }
  take_interval(t_interval(*mean, tost_confidence(settings.equivalence_alpha)), result);
  result.p = t_p_value(*mean);
  return result;
}

/// The rows of `slice`; all if it is empty.
std::vector<EvalItem> rows_of(std::span<const EvalItem> items, const std::string& slice) {
  std::vector<EvalItem> rows;
  for (const EvalItem& item : items) {
    if (slice.empty() || item.category == slice) rows.push_back(item);
  }
  return rows;
}

EquivalenceResult metric_of_rows(const std::string& metric, const std::string& slice,
                                 const Candidate& a, const Candidate& b,
                                 const StatisticsSettings& settings) {
  EquivalenceResult result = empty_result(metric, a, b, settings);
  result.slice = slice;
  const auto of_a = rows_of(a.evaluation->at(a.evaluation->header.last), slice);
  const auto of_b = rows_of(b.evaluation->at(b.evaluation->header.last), slice);
  result.n = static_cast<std::int64_t>(of_a.size());
  const RowClusters clusters = count_clusters(cluster_numbers(of_a));
  if (!clusters.independent()) result.clusters = clusters.clusters;
  const auto found = metric_difference(metric, of_a, of_b,
                                       tost_confidence(settings.equivalence_alpha), result.note);
  if (!found) {
    result.outcome = "missing";
    return result;
  }
  take_interval(found->interval, result);
  result.p = found->p;
  return result;
}

/// Every metric of held-out rows that has a margin, over all rows and by category.
void test_rows(const Candidate& a, const Candidate& b, StatisticsReport& report) {
  for (const auto& [metric, margin] : report.settings.margins) {
    if (metric == kFinalLoss) continue;
    if (a.evaluation == nullptr || b.evaluation == nullptr) {
      EquivalenceResult result = empty_result(metric, a, b, report.settings);
      result.outcome = "missing";
      result.note = "there are no held-out rows: `evaluation:` of the case names them";
      report.equivalences.push_back(result);
      continue;
    }
    report.equivalences.push_back(metric_of_rows(metric, "", a, b, report.settings));
    for (const std::string& slice : slices_of(a.evaluation->at(a.evaluation->header.last))) {
      report.equivalences.push_back(metric_of_rows(metric, slice, a, b, report.settings));
    }
  }
}

/// Of many differences some are large by chance: before one is named, its p-value is adjusted for
/// how many there are, of whole metrics and of slices apart.
void adjust_p_values(StatisticsReport& report) {
  for (const bool slices : {false, true}) {
    std::vector<double> values;
    std::vector<EquivalenceResult*> owners;
    for (EquivalenceResult& result : report.equivalences) {
      if (result.slice.empty() == slices || !result.p) continue;
      values.push_back(*result.p);
      owners.push_back(&result);
    }
    const std::vector<double> adjusted = holm_adjusted(values);
    for (std::size_t i = 0; i < owners.size(); ++i) owners[i]->p_holm = adjusted[i];
  }
}

std::string metric_of(const EquivalenceResult& result) {
  return result.metric + (result.slice.empty() ? "" : " of " + result.slice);
}

std::string name_of(const EquivalenceResult& result) {
  return metric_of(result) + ", runs " + result.a + " and " + result.b;
}

/// What differs more than chance explains, for the end of a message; empty if nothing does.
std::string culprits(const StatisticsReport& report) {
  std::vector<std::string> names;
  for (const EquivalenceResult& result : report.equivalences) {
    const std::string name = metric_of(result);
    if (result.p_holm && *result.p_holm <= report.settings.equivalence_alpha &&
        std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(name);
    }
  }
  constexpr std::size_t kNamed = 5;
  const std::size_t more = names.size() > kNamed ? names.size() - kNamed : 0;
  if (more > 0) {
    names.resize(kNamed);
    names.push_back(std::to_string(more) + " more");
  }
  if (names.empty()) return {};
  return "; beyond chance (Holm): " + list_words(names);
}

/// Of the whole metrics, all of which have to pass; slices name what differs, no more.
void decide(StatisticsReport& report) {
  const auto first_of = [&](const std::string& outcome) -> const EquivalenceResult* {
    for (const EquivalenceResult& result : report.equivalences) {
      if (result.slice.empty() && result.outcome == outcome) return &result;
    }
    return nullptr;
  };
  const auto check = [&](Verdict verdict, const std::string& reason, const std::string& message) {
    report.equivalence = {"equivalence", verdict, reason, message};
  };
  if (const auto* different = first_of("different")) {
    check(Verdict::kNotReproduced, "not_equivalent",
          name_of(*different) + ": differs by more than " + number_text("%g", different->margin) +
              culprits(report));
  } else if (const auto* broken = first_of("not_finite")) {
    check(Verdict::kInvalid, "non_finite", name_of(*broken) + ": " + broken->note);
  } else if (const auto* missing = first_of("missing")) {
    check(Verdict::kInconclusive, "metric_missing", name_of(*missing) + ": " + missing->note);
  } else if (const auto* undecided = first_of("undecided")) {
    check(Verdict::kInconclusive, "consistent",
          name_of(*undecided) + ": not shown to lie within " +
              number_text("%g", undecided->margin) + ", nor outside (" + undecided->note + ")");
  } else {
    check(Verdict::kReproduced, "equivalent",
          "every declared metric is equivalent within its margin at alpha = " +
              number_text("%g", report.settings.equivalence_alpha));
  }
}

}  // namespace

void test_equivalence(const StatisticsInput& input, StatisticsReport& report) {
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (std::size_t i = 0; i < input.candidates.size(); ++i) {
    for (std::size_t j = i + 1; j < input.candidates.size(); ++j) pairs.emplace_back(i, j);
  }
  test_equivalence(input, pairs, report);
}

void test_equivalence(const StatisticsInput& input,
                      const std::vector<std::pair<std::size_t, std::size_t>>& pairs,
                      StatisticsReport& report) {
  for (const auto& [i, j] : pairs) {
    const Candidate &a = input.candidates.at(i), &b = input.candidates.at(j);
    report.equivalences.push_back(final_loss(a, b, report.settings));
    test_rows(a, b, report);
  }
  adjust_p_values(report);
  decide(report);
}

std::optional<double> metric_value(const std::string& metric, const Candidate& candidate,
                                   const StatisticsSettings& settings) {
  if (metric == kFinalLoss) {
    const WindowCurves curves = final_curves(candidate, candidate.run->summary.last_step, settings);
    const double sum = std::accumulate(curves.loss.begin(), curves.loss.end(), 0.0);
    return sum / static_cast<double>(curves.loss.size());
  }
  if (candidate.evaluation == nullptr) return std::nullopt;
  return value_of(metric, candidate.evaluation->at(candidate.evaluation->header.last));
}

}  // namespace twinrun::harness
