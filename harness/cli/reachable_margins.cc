#include "harness/cli/reachable_margins.h"

#include <algorithm>
#include <optional>

#include "harness/calibrate/calibration_file.h"
#include "harness/calibrate/reachable.h"
#include "harness/compare/compare.h"
#include "harness/config/case_evaluation.h"
#include "harness/evaluate/metrics.h"
#include "harness/report/text.h"
#include "harness/stats/equivalence.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The accepted calibrations in `folder` of this identity and these settings: one a kind of
/// machine. Which of them is that of this machine, only a run tells.
std::vector<Calibration> calibrations_of(const fs::path& folder, const std::string& identity,
                                         const std::string& settings) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".json") && !name.ends_with(".pending.json")) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Calibration> found;
  for (const fs::path& file : files) {
    auto read = read_calibration(file);
    auto* calibration = std::get_if<Calibration>(&read);
    if (calibration == nullptr || calibration->key.value("identity", json()) != identity ||
        statistics_digest(calibration->settings) != settings) {
      continue;  // what is wrong with the one that counts, the verdict says
    }
    found.push_back(std::move(*calibration));
  }
  return found;
}

std::string line_of(const std::string& metric, double margin, std::optional<double> reachable,
                    const std::string& why) {
  std::string text = metric + ": margin " + number_text("%g", margin) + ", ";
  if (!reachable) return text + why;
  text += "at best " + number_text("%.2g", *reachable) + " can be shown (" + why + ")";
  if (*reachable >= margin) text += ": too much for a green verdict";
  return text;
}

}  // namespace

std::vector<std::string> reachable_lines(const ResolvedCase& resolved,
                                         const fs::path& calibrations) {
  const json declared = resolved.config.judgement.value("statistics", json());
  if (!declared.is_object()) return {};
  const StatisticsSettings settings = statistics_from_json(declared);
  const auto found =
      calibrations_of(calibrations, protocol::to_hex(resolved.config.identity_digest()),
                      statistics_digest(settings));
  const double confidence = tost_confidence(settings.equivalence_alpha);
  const RowClusters& held_out = resolved.held_out_rows;
  const std::string rows = rows_words(held_out);
  std::vector<std::string> lines;
  for (const auto& [metric, margin] : settings.margins) {
    if (metric != kFinalLoss) {
      const auto least =
          least_margin(metric, held_out.clusters, held_out.largest_by_mean(), confidence);
      lines.push_back(
          line_of(metric, margin, least, least ? rows : "hangs on how " + rows + " scatter"));
    } else if (found.empty()) {
      lines.push_back(line_of(metric, margin, {}, "a calibration would say what can be shown"));
    } else {
      for (const Calibration& calibration : found) {
        lines.push_back(line_of(
            metric, margin, reachable_final_loss(calibration),
            "calibration " + fingerprint(calibration.key) + ", if no run drifts on its way"));
      }
    }
  }
  return lines;
}

}  // namespace twinrun::harness
