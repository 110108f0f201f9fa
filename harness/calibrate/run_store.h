#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/calibrate/window.h"
#include "harness/protocol/append_file.h"

namespace twinrun::harness {

/// One short run of a calibration: what of it counts.
struct CalibrationRun {
  std::int64_t run = 0;  ///< 0 .. K1 + K2 - 1
  std::string window;    ///< StepWindow::name
  WindowCurves curves;
};

/// The runs of a calibration that were done so far, `runs.jsonl` in its work folder: they may be
/// spread over calls and days. Line 1 says what they are runs of.
class RunStore {
 public:
  /// Opens or makes `folder`/runs.jsonl; a torn last line is cut.
  ///
  /// `of` is what every run has in common (identity, key, settings). Throws UsageError if the file
  /// is of something else (what differs is named) or holds a line that is none of ours;
  /// std::runtime_error (path and errno text).
  RunStore(const std::filesystem::path& folder, const nlohmann::json& of);

  const CalibrationRun* find(std::int64_t run, const std::string& window) const;
  std::size_t size() const { return runs_.size(); }
  const std::vector<CalibrationRun>& runs() const { return runs_; }

  /// Appends it, and has it on the disk when it returns.
  void add(CalibrationRun run);

 private:
  std::vector<CalibrationRun> runs_;
  std::optional<protocol::AppendFile> file_;
};

/// The line-1 object of the runs in `folder`; null if there are none yet.
nlohmann::json stored_runs_of(const std::filesystem::path& folder);

}  // namespace twinrun::harness
