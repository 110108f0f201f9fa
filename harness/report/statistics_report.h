#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/calibrate/judge_statistics.h"

namespace twinrun::harness {

/// `statistics` of verdict.json; null if nothing was judged so.
nlohmann::json statistics_json(const StatisticsReport& report);

/// For people, a line a candidate: "a  p 0.43, worst 0.71 (loss, step 12)".
std::vector<std::string> candidate_lines(const StatisticsReport& report);

/// For people, the smallest change that the calibration sees: "a shift of the loss by 2.1e-06 would
/// have been seen (window restored-30)"; empty where it sees none.
std::string detection_line(const StatisticsReport& report);

/// For people, a line a metric and pair: "final_loss_nats a, b  1.2e-05 (-3e-05 to 5e-05) within
/// 0.001: equivalent".
std::vector<std::string> equivalence_lines(const StatisticsReport& report);

}  // namespace twinrun::harness
