#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace twinrun::harness {

/// What a case declares beforehand of how runs that promise no bits are judged: the section
/// `statistics:`, `judgement.statistics` of config.json (docs/statistics.md). Its digest stands in
/// calibration and verdict; other settings are another series.
struct StatisticsSettings {
  double alpha = 0.01;                 ///< false-alarm rate of a candidate, on average
  std::int64_t envelope_runs = 20;     ///< K1: runs that make the envelope
  std::int64_t calibration_runs = 99;  ///< K2: runs that are scored against it
  std::int64_t window_steps = 20;
  /// Fractions of the steps at which a checkpoint of the reference run is restored, rising.
  std::vector<double> restore_at = {0.5, 0.9};
  double equivalence_alpha = 0.05;
  /// Enough where neighbouring steps correlate by 0.6 at most (docs/statistics.md).
  std::int64_t final_window_steps = 40;
  /// Largest difference that counts as none, by metric; kFinalLoss is always there.
  std::map<std::string, double> margins;
};

/// Mean training loss of the last steps, nats a token.
inline constexpr const char* kFinalLoss = "final_loss_nats";
/// In nats a token: no token's probability is moved by more than 0.1 % on (geometric) average, so
/// none by more than 0.1 points, the margin of scores.
inline constexpr double kFinalLossMargin = 0.001;

nlohmann::json to_json(const StatisticsSettings& settings);

/// Settings of a `judgement.statistics` object. Throws std::runtime_error if it is not one.
StatisticsSettings statistics_from_json(const nlohmann::json& object);

/// SHA-256, hex, of the canonical form of to_json(settings).
std::string statistics_digest(const StatisticsSettings& settings);

}  // namespace twinrun::harness
