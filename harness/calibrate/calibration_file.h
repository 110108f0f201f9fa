#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "harness/calibrate/envelope.h"
#include "harness/calibrate/settings.h"
#include "harness/calibrate/window.h"

namespace twinrun::harness {

/// Version of the calibration file.
inline constexpr int kCalibrationSchema = 1;

struct CalibratedWindow {
  StepWindow window;
  std::string checkpoint;  ///< SHA-256, hex, of the restored checkpoint.json; empty: none
  std::vector<std::string> discrete;  ///< as WindowCurves::discrete, the same in all runs
  ChannelEnvelope loss, grad_norm;
};

/// How runs of one comparability key scatter: `<folder>/<fingerprint>.json`, beside the curves of
/// the case, reviewed and committed like them (docs/statistics.md; docs/protocol.md section 12).
/// `<fingerprint>.pending.json` is one that nobody accepted yet: no run is held against it.
struct Calibration {
  nlohmann::json key;  ///< comparability key (docs/protocol.md section 6)
  StatisticsSettings settings;
  std::vector<CalibratedWindow> windows;
  std::vector<double> scores;       ///< of the K2 runs, ascending
  std::vector<std::string> chains;  ///< what the runs end in, in their order, windows in theirs
  nlohmann::json made_by;           ///< as of a curve
  std::string ended;                ///< UTC
  nlohmann::json accepted;          ///< {"who","when","why"}, or null
};

/// The whole file. Its `sha256` is of the canonical form of the rest.
std::string calibration_text(const Calibration& calibration);

struct CalibrationProblem {
  std::string reason;  ///< see read_calibration
  std::string message;
};

/// Reads and checks `file`. What is wrong comes back as
///
///  calibration_missing        no such file
///  calibration_newer_schema   of a schema that this program does not know
///  calibration_malformed      cut, no JSON, a field missing or out of range, lists of other
///  lengths
///                             than its settings say, what is not finite
///  calibration_edited         another SHA-256 than it states
///  calibration_key_mismatch   its key is not that of the file's name
std::variant<Calibration, CalibrationProblem> read_calibration(const std::filesystem::path& file);

/// Where the calibration of a fingerprint lies in `folder`, and where a pending one.
std::filesystem::path calibration_file(const std::filesystem::path& folder,
                                       const std::string& fingerprint);
std::filesystem::path pending_calibration_file(const std::filesystem::path& folder,
                                               const std::string& fingerprint);

}  // namespace twinrun::harness
