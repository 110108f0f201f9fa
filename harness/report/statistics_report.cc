#include "harness/report/statistics_report.h"

#include <cmath>

#include "harness/report/json_fields.h"
#include "harness/report/statistics_words.h"
#include "harness/report/text.h"
#include "harness/report/verdict_json.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

/// JSON knows no infinity.
json finite_or_null(double value) { return std::isfinite(value) ? json(value) : json(); }

json to_json(const CandidateScore& candidate) {
  const WindowScore& worst = candidate.worst;
  return {
      {"name", candidate.name}, {"p", candidate.p},         {"score", finite_or_null(worst.score)},
      {"window", worst.window}, {"channel", worst.channel}, {"part", worst.part},
      {"step", worst.step}};
}

json to_json(const EquivalenceResult& result) {
  return {{"metric", result.metric},
          {"a", result.a},
          {"b", result.b},
          {"slice", result.slice},
          {"margin", result.margin},
          {"estimate", finite_or_null(result.estimate)},
          {"low", or_null(result.low)},
          {"high", or_null(result.high)},
          {"n", result.n},
          {"clusters", or_null(result.clusters)},
          {"p", or_null(result.p)},
          {"p_holm", or_null(result.p_holm)},
          {"outcome", result.outcome},
          {"note", result.note}};
}

json to_json(const SeedSpread& spread) {
  return {{"metric", spread.metric}, {"runs", spread.runs}, {"deviation", spread.deviation}};
}

json to_json(const Detection& detection) {
  return {{"window", detection.window},
          {"channel", detection.channel},
          {"centre_mean", detection.centre_mean},
          {"shift", finite_or_null(detection.shift)},
          {"jump_least", finite_or_null(detection.jump_least)},
          {"jump_at", detection.jump_at},
          {"jump_median", finite_or_null(detection.jump_median)}};
}

json to_json(const MachineKinds::Pair& pair) {
  return {{"a", pair.a}, {"b", pair.b}, {"differences", differences_json(pair.differences)}};
}

/// The envelope and the candidates' curves in it, so that a report can draw them.
json windows_json(const StatisticsReport& report) {
  json windows = json::array();
  for (std::size_t i = 0; i < report.windows.size(); ++i) {
    const CalibratedWindow& calibrated = report.windows[i];
    json candidates = json::object();
    for (std::size_t j = 0; j < report.candidates.size(); ++j) {
      json losses = json::array();
      for (const float loss : report.curves[j][i].loss) {
        losses.push_back(finite_or_null(static_cast<double>(loss)));
      }
      candidates[report.candidates[j].name] = losses;
    }
    windows.push_back({{"name", calibrated.window.name},
                       {"first_step", calibrated.window.first},
                       {"last_step", calibrated.window.last},
                       {"centre", calibrated.loss.centre},
                       {"width", calibrated.loss.width},
                       {"candidates", candidates}});
  }
  return windows;
}

template <typename T>
json list_of(const std::vector<T>& items) {
  json list = json::array();
  for (const T& item : items) list.push_back(to_json(item));
  return list;
}

json across_json(const std::optional<MachineKinds>& across) {
  if (!across) return nullptr;
  return {{"kinds", across->kinds}, {"pairs", list_of(across->pairs)}};
}

}  // namespace

json statistics_json(const StatisticsReport& report) {
  if (report.calibration.reason == "not_asked") return nullptr;
  const bool declared = !report.statistics_digest.empty();
  return {{"settings", declared ? to_json(report.settings) : json()},
          {"digest", declared ? json(report.statistics_digest) : json()},
          {"calibration_sha256",
           report.calibration_sha256.empty() ? json() : json(report.calibration_sha256)},
          {"scores", report.scores},
          {"candidates", list_of(report.candidates)},
          {"equivalences", list_of(report.equivalences)},
          {"spread", list_of(report.spread)},
          {"across", across_json(report.across)},
          {"detection", list_of(report.detection)},
          {"windows", windows_json(report)}};
}

std::vector<std::string> candidate_lines(const StatisticsReport& report) {
  std::vector<std::string> lines;
  for (const CandidateScore& candidate : report.candidates) {
    const WindowScore& worst = candidate.worst;
    lines.push_back(
        ellipsize("run " + candidate.name, 12) + ": p = " + number_text("%.3g", candidate.p) +
        ", score " + number_text("%.3g", worst.score) +
        // One that lies on the centre in every step is farthest out nowhere.
        (worst.channel.empty() ? ""
                               : " (" + worst.channel + ", step " + std::to_string(worst.step) +
                                     ", " + worst.part + ")"));
  }
  return lines;
}

std::string detection_line(const StatisticsReport& report) {
  const Detection* found = most_sensitive(report.detection);
  if (found == nullptr) return {};
  return "a shift of the " + channel_words(found->channel) + " by " +
         number_text("%.2g", found->shift) + " would have been seen (window " + found->window + ")";
}

std::vector<std::string> equivalence_lines(const StatisticsReport& report) {
  std::vector<std::string> lines;
  for (const EquivalenceResult& result : report.equivalences) {
    if (!result.slice.empty()) continue;  // verdict.json and the reports have them
    std::string text = result.metric + ", " + result.a + " and " + result.b + ": ";
    if (result.low && result.high) {
      text += number_text("%.2g", *result.low) + " to " + number_text("%.2g", *result.high) +
              ", margin " + number_text("%g", result.margin) + ": ";
    }
    text += result.outcome;
    if (!result.note.empty()) text += " (" + result.note + ")";
    lines.push_back(text);
  }
  for (const SeedSpread& spread : report.spread) {
    lines.push_back(spread.metric + ", " + count_of(spread.runs, "run") +
                    " with other seeds: standard deviation " +
                    number_text("%.2g", spread.deviation));
  }
  return lines;
}

}  // namespace twinrun::harness
