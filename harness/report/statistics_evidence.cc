#include "harness/report/statistics_evidence.h"

#include <exception>
#include <system_error>

#include "harness/report/evidence.h"
#include "harness/report/json_fields.h"
#include "harness/report/statistics_report.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// What is wrong between the statistics as judged now and as the verdict has them; empty if
/// nothing.
std::string disagreement(const json& stated, const StatisticsReport& report) {
  const json now = statistics_json(report);
  const json was = at(stated, "/calibration_sha256"), is = at(now, "/calibration_sha256");
  if (was != is) {
    const auto words = [](const json& digest) {
      return digest.is_null() ? std::string("no calibration") : words_of(digest);
    };
    return "the verdict names " + words(was) + ", beside it lies " + words(is) +
           (is.is_null() ? ": " + report.calibration.message : "");
  }
  const json scored = at(stated, "/candidates");
  if (scored == at(now, "/candidates")) return {};
  // Fewer are scored where one of them could not be.
  return scored.size() == report.candidates.size()
             ? "the runs have other scores than the verdict says"
             : report.calibration.message;
}

/// The runs whose records hold; empty, and a problem, if one does not.
std::vector<Candidate> candidates_of(const VerdictFile& verdict,
                                     const std::vector<RunEvidence>& runs, std::string& problem) {
  std::vector<Candidate> candidates;
  for (const RunEvidence& run : runs) {
    if (run.control) continue;
    if (run.state != RunEvidence::State::kHolds) {
      problem = "the record of run " + run.name + " is not there whole";
      return {};
    }
    candidates.push_back({run.name, &run.view, verdict.folder() / kWindowsFolder});
  }
  if (candidates.empty()) problem = "there is no run";
  return candidates;
}

}  // namespace

fs::path window_folder(const std::string& run, const StepWindow& window) {
  return fs::path(kWindowsFolder) / window_run_name(run, window);
}

StatisticsEvidence read_statistics(const VerdictFile& verdict,
                                   const std::vector<RunEvidence>& runs) {
  StatisticsEvidence evidence;
  const json stated = at(verdict.value, "/statistics");
  // Of different kinds of machine nothing was calibrated; a calibration may lie there all the same.
  if (!stated.is_object() || at(stated, "/across").is_object()) return evidence;
  StatisticsInput input;
  input.candidates = candidates_of(verdict, runs, evidence.problem);
  if (input.candidates.empty()) return evidence;
  const std::string name = fingerprint(comparability_key(*input.candidates.front().run));
  input.calibration = calibration_file(verdict.folder() / kCalibrationFolder, name);
  std::error_code ignored;
  if (!fs::exists(input.calibration, ignored)) {
    if (!at(stated, "/calibration_sha256").is_null()) {
      evidence.problem = "no calibration lies in '" + std::string(kCalibrationFolder) + "'";
    }
    return evidence;
  }
  try {
    const StatisticsReport report = judge_statistics(input);
    evidence.problem = disagreement(stated, report);
    evidence.broken = !evidence.problem.empty();
    if (!evidence.broken) evidence.judged = report;
  } catch (const std::exception& error) {
    evidence.problem = error.what();
  }
  const auto read = read_calibration(input.calibration);
  if (const auto* calibration = std::get_if<Calibration>(&read);
      calibration != nullptr && evidence.judged) {
    evidence.accepted = calibration->accepted;
    evidence.ended = calibration->ended;
  }
  return evidence;
}

}  // namespace twinrun::harness
