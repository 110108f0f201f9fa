#include "harness/cli/accept_calibration.h"

#include <iostream>

#include "harness/calibrate/calibration_file.h"
#include "harness/cli/acceptance.h"
#include "harness/cli/find_case.h"
#include "harness/cli/window_runs.h"
#include "harness/exit_code.h"
#include "harness/launch/folder_lock.h"
#include "harness/protocol/append_file.h"
#include "harness/report/text.h"
#include "harness/stats/conformal.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPendingEnd = ".pending.json";

/// The one pending calibration of `folder`.
fs::path the_pending_calibration(const fs::path& folder) {
  std::vector<std::string> names;
  if (fs::is_directory(folder)) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (name.ends_with(kPendingEnd)) names.push_back(name);
    }
  }
  if (names.empty()) {
    throw UsageError(folder.string() +
                     ": holds no pending calibration; `twinrun calibrate` makes "
                     "one");
  }
  if (names.size() > 1) {
    throw UsageError(folder.string() + ": holds several pending calibrations, " +
                     list_words(names) + "; remove those that are not meant");
  }
  return folder / names.front();
}

}  // namespace

int accept_calibration(const ParsedCommand& parsed) {
  require_person("accept a calibration");
  const fs::path case_file =
      parsed.operands.empty() ? find_case(parsed.operand_hint) : fs::path(parsed.operands.front());
  const fs::path folder = calibration_folder(parsed, case_file);
  const fs::path pending = the_pending_calibration(folder);
  const Acceptance acceptance = read_acceptance(parsed, folder, "calibration");
  const FolderLock lock(folder);
  auto read = read_calibration(pending);
  if (const auto* problem = std::get_if<CalibrationProblem>(&read)) {
    throw EvidenceError(problem->message);
  }
  auto& calibration = std::get<Calibration>(read);
  calibration.accepted = {
      {"who", acceptance.who}, {"when", acceptance.when}, {"why", acceptance.why}};
  std::string name = pending.filename().string();
  name.erase(name.size() - std::string(kPendingEnd).size());
  const fs::path file = calibration_file(folder, name);
  protocol::write_file_atomically(file, calibration_text(calibration));
  fs::remove(pending);
  protocol::sync_folder(folder);
  std::cout << "accepted  " << one_line(file.string()) << "\n  by         " << acceptance.who
            << ", " << acceptance.when << "\n  why        " << acceptance.why
            << "\n  to do      commit it\n";
  return static_cast<int>(ExitCode::kReproduced);
}

std::string false_alarm_text(const StatisticsSettings& settings) {
  const FalseAlarmRate rate =
      conformal_false_alarms(static_cast<std::size_t>(settings.calibration_runs), settings.alpha);
  return "false alarms in " + number_text("%.2g", 100 * rate.mean) +
         " % of clean runs on average, in at most " + number_text("%.2g", 100 * rate.worst) +
         " % with 95 of 100 calibrations";
}

}  // namespace twinrun::harness
