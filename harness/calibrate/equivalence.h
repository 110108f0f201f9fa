#pragma once

#include "harness/calibrate/judge_statistics.h"

namespace twinrun::harness {

/// Tests every declared metric of every pair of candidates by TOST (docs/statistics.md), and fills
/// report.equivalences and report.equivalence. REQUIRES: report.settings.
void test_equivalence(const StatisticsInput& input, StatisticsReport& report);
/// The same of these pairs alone, by their places in `input.candidates`.
void test_equivalence(const StatisticsInput& input,
                      const std::vector<std::pair<std::size_t, std::size_t>>& pairs,
                      StatisticsReport& report);

/// What a run comes to in a metric of StatisticsSettings::margins; nullopt if it does not have it.
std::optional<double> metric_value(const std::string& metric, const Candidate& candidate,
                                   const StatisticsSettings& settings);

}  // namespace twinrun::harness
