#include "harness/config/case_statistics.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "harness/calibrate/settings.h"
#include "harness/config/fields.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

constexpr std::int64_t kRunsMax = 10000;
constexpr std::int64_t kFinalStepsMin = 5;  ///< below which series_mean decides nothing
constexpr NumberRange kShare = {.low = 0, .high = 1, .low_open = true, .high_open = true};

/// The metrics that may have a margin, with the unit in their names.
const std::vector<std::string>& metrics() {
  static const std::vector<std::string> names = {kFinalLoss,           "heldout_loss_nats",
                                                 "exact_match_points", "token_f1_points",
                                                 "accuracy_points",    "macro_f1_points"};
  return names;
}

json restore_points(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::kList) {
    fail_at(node, "expected a list of fractions of the steps, such as [0.5, 0.9], or []");
  }
  json list = json::array();
  for (const YamlNode& item : node.items) {
    const json fraction = number(kShare)(item);
    if (!list.empty() && fraction <= list.back()) fail_at(item, "has to be above the one before");
    list.push_back(fraction);
  }
  return list;
}

json read_margins(const YamlNode& node) {
  const Section section(node, metrics());
  json margins = {{kFinalLoss, kFinalLossMargin}};
  for (const std::string& metric : metrics()) {
    const YamlNode* margin = section.find(metric);
    if (margin != nullptr) margins[metric] = number({.low = 0, .low_open = true})(*margin);
  }
  return margins;
}

json read_equivalence(const YamlNode& node, const StatisticsSettings& defaults,
                      std::int64_t steps) {
  const std::vector<Field> fields = {
      {"alpha", number({.low = 0, .high = 0.5, .low_open = true, .high_open = true}),
       defaults.equivalence_alpha},
      {"final_window_steps",
       integer(std::min<std::int64_t>(kFinalStepsMin, steps), kSafeIntegerMax),
       defaults.final_window_steps},
      {"margins", read_margins, json{{kFinalLoss, kFinalLossMargin}}}};
  return read_fields(Section(node, keys_of(fields)), fields, Absent::kFallback);
}

}  // namespace

json read_statistics_section(const YamlNode& node, std::int64_t steps, bool foreign) {
  StatisticsSettings defaults;
  defaults.window_steps = std::min(defaults.window_steps, steps);
  defaults.final_window_steps = std::min(defaults.final_window_steps, steps);
  if (foreign) defaults.restore_at.clear();
  const std::vector<Field> fields = {
      {"alpha", number(kShare), defaults.alpha},
      {"envelope_runs", integer(3, kRunsMax), defaults.envelope_runs},
      {"calibration_runs", integer(1, kRunsMax), defaults.calibration_runs},
      {"window_steps", integer(1, kSafeIntegerMax), defaults.window_steps},
      {"restore_at", restore_points, defaults.restore_at}};
  std::vector<std::string> keys = keys_of(fields);
  keys.push_back("equivalence");
  const Section section(node, std::move(keys));
  json statistics = read_fields(section, fields, Absent::kFallback);
  statistics["equivalence"] =
      read_equivalence(section.find_section("equivalence"), defaults, steps);
  const double alpha = statistics["alpha"].get<double>();
  const auto least = static_cast<std::int64_t>(std::ceil(1 / alpha - 1 - 1e-9));
  if (statistics["calibration_runs"].get<std::int64_t>() < least) {
    fail_at(node, "no run could ever be found wrong at alpha " + statistics["alpha"].dump() +
                      " with calibration_runs " + statistics["calibration_runs"].dump() +
                      ": it takes " + std::to_string(least) + " at least");
  }
  const json& equivalence = statistics["equivalence"];
  const auto longest = std::max(statistics["window_steps"].get<std::int64_t>(),
                                equivalence["final_window_steps"].get<std::int64_t>());
  if (longest > steps) {
    fail_at(node, "has a window of " + std::to_string(longest) + " steps, and train.steps is " +
                      std::to_string(steps));
  }
  return statistics;
}

}  // namespace twinrun::harness
