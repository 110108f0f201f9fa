#include "harness/calibrate/judge_statistics.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include "harness/calibrate/equivalence.h"
#include "harness/protocol/sha256.h"
#include "harness/report/text.h"
#include "harness/stats/conformal.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

Check calibration_check(Verdict verdict, const std::string& reason, const std::string& message) {
  return {"calibration", verdict, reason, message};
}

std::string cost_text(const StatisticsSettings& settings) {
  return "`twinrun calibrate CASE` makes one: " +
         std::to_string(settings.envelope_runs + settings.calibration_runs) +
         " short runs, once for this machine and case";
}

/// The calibration if it counts for these runs; else the check says why it does not.
std::optional<Calibration> open_calibration(const StatisticsInput& input,
                                            StatisticsReport& report) {
  auto read = read_calibration(input.calibration);
  if (const auto* problem = std::get_if<CalibrationProblem>(&read)) {
    if (problem->reason == "calibration_missing") {
      report.calibration = calibration_check(
          Verdict::kInconclusive, "uncalibrated",
          "nothing says how runs of this kind scatter; " + cost_text(report.settings));
      return std::nullopt;
    }
    const bool newer = problem->reason == "calibration_newer_schema";
    report.calibration =
        calibration_check(newer ? Verdict::kInconclusive : Verdict::kEvidenceInvalid,
                          problem->reason, problem->message);
    return std::nullopt;
  }
  auto& calibration = std::get<Calibration>(read);
  report.calibration_sha256 = protocol::to_hex(protocol::sha256_file(input.calibration));
  if (calibration.key != comparability_key(*input.candidates.front().run)) {
    report.calibration = calibration_check(Verdict::kEvidenceInvalid, "calibration_key_mismatch",
                                           "the calibration is of another kind of run");
    return std::nullopt;
  }
  if (statistics_digest(calibration.settings) != report.statistics_digest) {
    report.calibration = calibration_check(
        Verdict::kInconclusive, "other_settings",
        "the calibration was made with other settings than the case declares now, which begins a "
        "new series; " +
            cost_text(report.settings));
    return std::nullopt;
  }
  return std::move(calibration);
}

/// The record in which `window` of a candidate stands.
fs::path record_of(const Candidate& candidate, const StepWindow& window) {
  if (window.restored_from == 0) return candidate.run->dir / "steps.jsonl";
  return candidate.windows / window_run_name(candidate.name, window) / "steps.jsonl";
}

/// Why the short run `run` of `window` does not count for a run of `key`; empty if it does. `seen`
/// has the manifests of those before it: two runs that are one would agree without proving it.
std::string window_problem(const RunView& run, const StepWindow& window, const json& key,
                           std::set<std::string>& seen) {
  if (run.verdict != Verdict::kReproduced) return run.problem.empty() ? run.reason : run.problem;
  if (comparability_key(run) != key) return "it is of another experiment or kind of machine";
  const json resumed = run.manifest.value("resumed", json::array());
  if (!resumed.is_array() || resumed.empty() ||
      resumed.back().value("step", json()) != window.restored_from) {
    return "it does not say that it went on from step " + std::to_string(window.restored_from);
  }
  if (!seen.insert(run.manifest.dump()).second) return "it is the short run of another, once more";
  return {};
}

/// The curves of a candidate, a window each. A short run that is not whole throws
/// std::runtime_error.
std::vector<WindowCurves> curves_of(const Candidate& candidate, const Calibration& calibration,
                                    std::set<std::string>& seen) {
  std::vector<WindowCurves> curves;
  for (const CalibratedWindow& calibrated : calibration.windows) {
    const StepWindow& window = calibrated.window;
    const fs::path record = record_of(candidate, window);
    if (window.restored_from > 0) {
      const std::string problem =
          window_problem(read_run(record.parent_path()), window, calibration.key, seen);
      if (!problem.empty()) {
        throw std::runtime_error("run " + candidate.name + ", window " + window.name + ": " +
                                 problem);
      }
    }
    curves.push_back(read_window(record, window));
  }
  return curves;
}

/// Where a candidate has another discrete plane than the calibrated runs, for people; or empty.
std::string discrete_difference(const Candidate& candidate,
                                const std::vector<CalibratedWindow>& windows,
                                const std::vector<WindowCurves>& curves) {
  for (std::size_t i = 0; i < windows.size(); ++i) {
    for (std::size_t j = 0; j < windows[i].discrete.size(); ++j) {
      if (windows[i].discrete[j] == curves[i].discrete.at(j)) continue;
      const std::string where =
          j == 0 ? "the state before training"
                 : "batch, learning rate or random state of step " +
                       std::to_string(windows[i].window.first + static_cast<std::int64_t>(j) - 1);
      return "run " + candidate.name + ": " + where + " is another than in the calibrated runs";
    }
  }
  return {};
}

std::string outside_text(const CandidateScore& found, const StatisticsReport& report) {
  const WindowScore& worst = found.worst;
  return "run " + found.name + " lies outside the envelope: " + worst.channel + " at step " +
         std::to_string(worst.step) + " (window " + worst.window + ", " + worst.part +
         "), p = " + number_text("%.3g", found.p) + " at alpha " +
         number_text("%g", report.settings.alpha);
}

void score_candidates(const StatisticsInput& input, const Calibration& calibration,
                      StatisticsReport& report) {
  std::string outside;
  std::set<std::string> seen;
  for (const Candidate& candidate : input.candidates) {
    try {
      report.curves.push_back(curves_of(candidate, calibration, seen));
    } catch (const std::runtime_error& error) {
      report.calibration = calibration_check(Verdict::kInvalid, "window_run_failed", error.what());
      return;
    }
    const std::string differs =
        discrete_difference(candidate, calibration.windows, report.curves.back());
    if (!differs.empty()) {
      report.calibration = calibration_check(Verdict::kNotReproduced, "discrete_differs", differs);
      return;
    }
    const WindowScore worst = score_run(calibration.windows, report.curves.back());
    report.candidates.push_back(
        {candidate.name, worst, conformal_p(calibration.scores, worst.score)});
    const CandidateScore& found = report.candidates.back();
    // Written so that a p that is no number does not pass.
    if (outside.empty() && !(found.p > report.settings.alpha))
      outside = outside_text(found, report);
  }
  if (!outside.empty()) {
    report.calibration = calibration_check(Verdict::kNotReproduced, "outside_envelope", outside);
    return;
  }
  report.calibration = calibration_check(
      Verdict::kReproduced, "within_envelope",
      "no detectable difference at alpha = " + number_text("%g", report.settings.alpha) + " from " +
          std::to_string(calibration.scores.size()) + " calibrated runs");
}

/// The steps of the start window that the control run has, against the calibration: another seed
/// has to be seen, or the envelope sees nothing.
ControlOutcome control_of(const StatisticsInput& input, const Calibration& calibration) {
  ControlOutcome outcome{kEnvelopeSeesSeed, false, false, "", json::object()};
  if (input.control == nullptr || input.control->verdict != Verdict::kReproduced) {
    outcome.message = "there is no run with another seed";
    return outcome;
  }
  CalibratedWindow start = calibration.windows.front();
  start.window.last = std::min(start.window.last, input.control->summary.last_step);
  const auto steps = static_cast<std::size_t>(start.window.length());
  for (auto* channel : {&start.loss, &start.grad_norm}) {
    channel->centre.resize(steps);
    channel->width.resize(steps);
  }
  const WindowScore found =
      score_run({start}, {read_window(input.control->dir / "steps.jsonl", start.window)});
  const double p = conformal_p(calibration.scores, found.score);
  outcome.ran = true;
  outcome.passed = p <= calibration.settings.alpha;
  outcome.details = {{"p", p}, {"steps", steps}, {"channel", found.channel}, {"step", found.step}};
  if (std::isfinite(found.score)) outcome.details["score"] = found.score;
  outcome.message = outcome.passed ? "a run with another seed was found outside the envelope"
                                   : "the envelope does not tell a run with another seed";
  return outcome;
}

}  // namespace

std::string window_run_name(const std::string& run, const StepWindow& window) {
  return run + "-" + window.name;
}

bool take_settings(const StatisticsInput& input, StatisticsReport& report) {
  for (const Candidate& candidate : input.candidates) {
    if (!candidate.run->config) continue;
    const json statistics = candidate.run->config->judgement.value("statistics", json());
    if (!statistics.is_object()) continue;
    const StatisticsSettings settings = statistics_from_json(statistics);
    const std::string digest = statistics_digest(settings);
    if (!report.statistics_digest.empty() && digest != report.statistics_digest) {
      report.calibration = calibration_check(
          Verdict::kInconclusive, "other_settings",
          "run " + candidate.name + " declares other margins and levels than a run before it");
      report.equivalence.reason = "other_settings";
      return false;
    }
    report.settings = settings;
    report.statistics_digest = digest;
  }
  if (!report.statistics_digest.empty()) return true;
  report.calibration = calibration_check(
      Verdict::kInconclusive, "not_declared",
      "nothing says how runs that are not equal in every bit are to be judged: add a section "
      "statistics: to the case");
  report.equivalence.reason = "not_declared";
  return false;
}

StatisticsReport judge_statistics(const StatisticsInput& input) {
  StatisticsReport report;
  if (!take_settings(input, report)) return report;
  if (const auto calibration = open_calibration(input, report)) {
    report.scores = calibration->scores;
    report.windows = calibration->windows;
    if (const auto limit = conformal_limit(report.scores, report.settings.alpha)) {
      report.detection = what_is_seen(report.windows, *limit);
    }
    report.control = control_of(input, *calibration);
    score_candidates(input, *calibration, report);
  }
  test_equivalence(input, report);
  return report;
}

}  // namespace twinrun::harness
