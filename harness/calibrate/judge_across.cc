#include "harness/calibrate/judge_across.h"

#include <cmath>
#include <map>
#include <set>

#include "harness/calibrate/equivalence.h"
#include "harness/compare/comparability.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

/// Of a run: its kind of machine and its experiment but for the seeds.
std::string group_of(const RunView& run) {
  json key = comparability_key(run);
  key["identity"] = run.config->identity;
  key["identity"].erase("seed");
  key["identity"].erase("seeds");
  return key.dump();
}

/// Standard deviation between runs with other seeds, pooled over the groups that have such.
std::optional<SeedSpread> spread_of(const std::string& metric, const StatisticsInput& input,
                                    const StatisticsSettings& settings) {
  // A seed counts once in a group: a repeated run says nothing of seeds.
  std::map<std::string, std::map<std::string, double>> groups;
  for (const Candidate& candidate : input.candidates) {
    const auto value = metric_value(metric, candidate, settings);
    if (!value || !std::isfinite(*value)) continue;
    groups[group_of(*candidate.run)].emplace(candidate.run->config->identity.at("seeds").dump(),
                                             *value);
  }
  double squares = 0;
  std::int64_t runs = 0, freedom = 0;
  for (const auto& [group, values] : groups) {
    if (values.size() < 2) continue;
    double mean = 0;
    for (const auto& [seeds, value] : values) mean += value / static_cast<double>(values.size());
    for (const auto& [seeds, value] : values) squares += (value - mean) * (value - mean);
    runs += static_cast<std::int64_t>(values.size());
    freedom += static_cast<std::int64_t>(values.size()) - 1;
  }
  if (freedom == 0) return std::nullopt;
  return SeedSpread{metric, runs, std::sqrt(squares / static_cast<double>(freedom))};
}

/// What a machine is to a result: all of the comparability key but the experiment.
std::string kind_of(const RunView& run) {
  json key = comparability_key(run);
  key.erase("identity");
  return key.dump();
}

MachineKinds kinds_of(const StatisticsInput& input,
                      const std::vector<std::pair<std::size_t, std::size_t>>& pairs) {
  MachineKinds found;
  std::set<std::string> kinds;
  for (const Candidate& candidate : input.candidates) kinds.insert(kind_of(*candidate.run));
  found.kinds = static_cast<std::int64_t>(kinds.size());
  for (const auto& [i, j] : pairs) {
    const Candidate &a = input.candidates.at(i), &b = input.candidates.at(j);
    found.pairs.push_back(
        {a.name, b.name, json_differences(comparability_key(*a.run), comparability_key(*b.run))});
  }
  return found;
}

}  // namespace

std::vector<std::pair<std::size_t, std::size_t>> pairs_across(
    const std::vector<const RunView*>& runs) {
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (std::size_t j = i + 1; j < runs.size(); ++j) {
      const json a = comparability_key(*runs[i]), b = comparability_key(*runs[j]);
      if (a.at("identity") == b.at("identity") && a != b) pairs.emplace_back(i, j);
    }
  }
  return pairs;
}

StatisticsReport judge_across(const StatisticsInput& input,
                              const std::vector<std::pair<std::size_t, std::size_t>>& pairs) {
  StatisticsReport report;
  report.across = kinds_of(input, pairs);
  if (!take_settings(input, report)) return report;
  report.calibration = {"calibration", Verdict::kNotRun, "across",
                        "no calibration is of two kinds of machine; metrics alone are compared"};
  test_equivalence(input, pairs, report);
  for (const auto& [metric, margin] : report.settings.margins) {
    if (const auto spread = spread_of(metric, input, report.settings)) {
      report.spread.push_back(*spread);
    }
  }
  return report;
}

}  // namespace twinrun::harness
