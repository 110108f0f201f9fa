#include "harness/calibrate/equivalence.h"

#include <algorithm>
#include <cmath>

#include "harness/report/text.h"
#include "harness/stats/equivalence.h"
#include "harness/stats/paired_t.h"

namespace twinrun::harness {
namespace {

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

/// Differences of the loss in the last steps, b - a.
std::vector<double> final_differences(const Candidate& a, const Candidate& b, std::int64_t steps) {
  const std::int64_t last = std::min(a.run->summary.last_step, b.run->summary.last_step);
  const StepWindow window{"final", 0, std::max<std::int64_t>(1, last - steps + 1), last};
  const WindowCurves of_a = read_window(a.run->dir / "steps.jsonl", window);
  const WindowCurves of_b = read_window(b.run->dir / "steps.jsonl", window);
  std::vector<double> differences;
  for (std::size_t i = 0; i < of_a.loss.size(); ++i) {
    differences.push_back(static_cast<double>(of_b.loss[i]) - static_cast<double>(of_a.loss[i]));
  }
  return differences;
}

EquivalenceResult final_loss(const Candidate& a, const Candidate& b,
                             const StatisticsSettings& settings) {
  EquivalenceResult result{
      kFinalLoss, a.name, b.name, settings.margins.at(kFinalLoss), 0, {}, {}, 0, "undecided", ""};
  const std::vector<double> differences = final_differences(a, b, settings.final_window_steps);
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
  const Interval interval = t_interval(*mean, tost_confidence(settings.equivalence_alpha));
  result.estimate = interval.estimate;
  result.low = interval.low;
  result.high = interval.high;
  result.outcome = word_of(judge_equivalence(interval, result.margin));
  return result;
}

void decide(StatisticsReport& report) {
  const auto first_of = [&](const std::string& outcome) {
    return std::find_if(report.equivalences.begin(), report.equivalences.end(),
                        [&](const EquivalenceResult& result) { return result.outcome == outcome; });
  };
  const auto none = report.equivalences.end();
  const auto name_of = [](const EquivalenceResult& result) {
    return result.metric + " of runs " + result.a + " and " + result.b;
  };
  if (const auto different = first_of("different"); different != none) {
    report.equivalence = {
        "equivalence", Verdict::kNotReproduced, "not_equivalent",
        name_of(*different) + " differs by more than " + number_text("%g", different->margin)};
  } else if (const auto broken = first_of("not_finite"); broken != none) {
    report.equivalence = {"equivalence", Verdict::kInvalid, "non_finite",
                          name_of(*broken) + ": " + broken->note};
  } else if (const auto undecided = first_of("undecided"); undecided != none) {
    report.equivalence = {"equivalence", Verdict::kInconclusive, "consistent",
                          name_of(*undecided) + " was not shown to lie within " +
                              number_text("%g", undecided->margin) + ", nor outside"};
  } else {
    report.equivalence = {"equivalence", Verdict::kReproduced, "equivalent",
                          "every declared metric is equivalent within its margin at alpha = " +
                              number_text("%g", report.settings.equivalence_alpha)};
  }
}

}  // namespace

void test_equivalence(const StatisticsInput& input, StatisticsReport& report) {
  for (std::size_t i = 0; i < input.candidates.size(); ++i) {
    for (std::size_t j = i + 1; j < input.candidates.size(); ++j) {
      report.equivalences.push_back(
          final_loss(input.candidates[i], input.candidates[j], report.settings));
    }
  }
  for (const auto& [metric, margin] : report.settings.margins) {
    if (metric == kFinalLoss) continue;
    report.equivalence = {"equivalence", Verdict::kInconclusive, "metric_missing",
                          "the runs have no " + metric + ", for which the case has a margin"};
    return;
  }
  decide(report);
}

}  // namespace twinrun::harness
