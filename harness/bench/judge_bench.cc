#include "harness/bench/judge_bench.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

using Kind = ComparisonSpec::Kind;

std::string ratio_text(const Estimate& estimate) {
  char text[96];
  std::snprintf(text, sizeof text, "%.4f (%.4f to %.4f)", *estimate.ratio, *estimate.low,
                *estimate.high);
  return text;
}

ComparisonResult result_of(const ComparisonState& state, const BenchSettings& settings) {
  ComparisonResult result{state.spec, "measured", state.failed_reason, state.failed_message,
                          estimate(state.blocks, settings.confidence)};
  if (state.failed()) {
    result.state = "could not run";
  } else if (!result.estimate.ratio) {
    result.state = "not measured";
  }
  return result;
}

/// Share of its ratio by which the interval misses 1; 0 if it holds it.
double distance_from_one(const Estimate& estimate) {
  return std::max({0.0, *estimate.low - 1, 1 - *estimate.high});
}

/// What keeps a comparison from saying anything; nullopt if nothing does.
std::optional<Check> unusable(const ComparisonResult& result, const BenchSettings& settings,
                              const std::string& check) {
  const Estimate& estimate = result.estimate;
  if (result.state == "could not run") {
    return Check{check, Verdict::kInvalid, result.reason,
                 result.spec.name + ": the arm " + result.spec.arm.name + " or its reference " +
                     "failed: " + result.message};
  }
  if (!enough_count(estimate, settings)) {
    std::vector<std::string> reasons;
    for (const auto& [reason, count] : estimate.excluded) {
      reasons.push_back(std::to_string(count) + " " + reason);
    }
    return Check{check, Verdict::kInconclusive, "blocks_excluded",
                 result.spec.name + ": " + std::to_string(estimate.blocks_excluded()) + " of " +
                     count_of(estimate.blocks_tried(), "block") + " do not count (" +
                     list_words(reasons) + ")"};
  }
  if (!estimate.ratio || estimate.blocks < settings.blocks_min) {
    return Check{check, Verdict::kInconclusive, "too_few_blocks",
                 result.spec.name + ": " + count_of(estimate.blocks, "block") + " of the " +
                     std::to_string(settings.blocks_min) +
                     " that a verdict takes; give it more time: the same command with the same "
                     "--out goes on"};
  }
  return std::nullopt;
}

Check judge_control(const ComparisonResult& result, const BenchSettings& settings) {
  if (const auto bad = unusable(result, settings, "controls")) return *bad;
  const Estimate& estimate = result.estimate;
  const bool tells = estimate.half_width <= settings.delay / 2;
  if (!tells) {
    return {"controls", Verdict::kInconclusive, "control_too_wide",
            result.spec.name + " is " + ratio_text(estimate) + ": too wide to tell a delay of " +
                number_text("%g %%", settings.delay * 100) + " from none; " +
                (estimate.blocks_tried() < settings.blocks_max
                     ? "give it more time, or a quieter machine"
                     : "it takes a quieter machine")};
  }
  if (result.spec.kind == Kind::kSameAgain) {
    const bool same = distance_from_one(estimate) <= settings.same_again_max;
    if (same) return {"controls", Verdict::kReproduced, "passed", "both controls passed"};
    return {"controls", Verdict::kInvalid, "same_again_differs",
            "two processes of the same arm differ: " + result.spec.name + " is " +
                ratio_text(estimate) + ", where it has to be 1"};
  }
  const double off = std::abs(*estimate.ratio - 1 - settings.delay);
  const bool seen = *estimate.low > 1 && off <= settings.delay / 2;
  if (seen) return {"controls", Verdict::kReproduced, "passed", "both controls passed"};
  return {"controls", Verdict::kInvalid, "delay_not_seen",
          "a delay of " + number_text("%g %%", settings.delay * 100) + " was injected, but " +
              result.spec.name + " is " + ratio_text(estimate)};
}

Check judge_candidate(const ComparisonResult& result, const BenchSettings& settings) {
  if (const auto bad = unusable(result, settings, "slowdown")) return *bad;
  const Estimate& estimate = result.estimate;
  const std::string text = result.spec.arm.name + " takes " + ratio_text(estimate) + " times " +
                           result.spec.reference.name + ", ";
  const std::string budget = "the budget of " + number_text("%g", settings.budget);
  const bool within = *estimate.high <= settings.budget;
  const bool exceeded = *estimate.low > settings.budget;
  if (within) return {"slowdown", Verdict::kReproduced, "within_budget", text + "within " + budget};
  if (exceeded) {
    return {"slowdown", Verdict::kSlowdownExceeded, "budget_exceeded", text + "above " + budget};
  }
  return {"slowdown", Verdict::kInconclusive, "budget_inside_interval",
          text + "and " + budget + " lies inside"};
}

/// The first check of the worst verdict.
Check worst_of(const std::vector<Check>& checks) {
  return *std::min_element(checks.begin(), checks.end(),
                           [](const Check& x, const Check& y) { return x.verdict < y.verdict; });
}

/// Not for A/A, from which `by` comes.
void widen(std::vector<ComparisonResult>& results, double by, const BenchSettings& settings) {
  for (ComparisonResult& result : results) {
    Estimate& estimate = result.estimate;
    if (!estimate.ratio || result.spec.kind == Kind::kSameAgain) continue;
    const double ratio = *estimate.ratio, floor = settings.half_width_min;
    set_interval(estimate, std::min(*estimate.low, ratio * (1 - floor)) * (1 - by),
                 std::max(*estimate.high, ratio * (1 + floor)) * (1 + by));
  }
}

}  // namespace

std::string bench_verdict_name(Verdict verdict) {
  return verdict == Verdict::kReproduced ? "WITHIN_BUDGET" : to_string(verdict);
}

BenchVerdict judge_bench(const SessionState& state, const BenchSettings& settings) {
  BenchVerdict judged;
  for (const ComparisonState& comparison : state.comparisons) {
    judged.results.push_back(result_of(comparison, settings));
    const ComparisonResult& result = judged.results.back();
    if (result.spec.kind != Kind::kSameAgain || !result.estimate.ratio) continue;
    judged.widened = distance_from_one(result.estimate);
  }
  widen(judged.results, judged.widened, settings);
  std::vector<Check> controls, slowdowns;
  for (const ComparisonResult& result : judged.results) {
    if (result.spec.attribution()) continue;
    const bool candidate = result.spec.kind == Kind::kCandidate;
    (candidate ? slowdowns : controls)
        .push_back(candidate ? judge_candidate(result, settings) : judge_control(result, settings));
  }
  // A plan without controls or candidates is our mistake, and nothing that it measures is green.
  const auto none = [](const char* check) {
    return Check{check, Verdict::kInconclusive, "nothing_measured", "nothing was measured"};
  };
  const Check control = controls.size() == 2 ? worst_of(controls) : none("controls");
  Check slowdown = slowdowns.empty() ? none("slowdown") : worst_of(slowdowns);
  if (control.verdict != Verdict::kReproduced && slowdown.verdict != Verdict::kInvalid) {
    slowdown = {"slowdown", Verdict::kNotRun, "controls_not_passed",
                "not judged, since the controls did not pass"};
  }
  judged.checks = {control, slowdown};
  judged.verdict = overall(judged.checks);
  return judged;
}

}  // namespace twinrun::harness
