#pragma once

#include "harness/calibrate/judge_statistics.h"

namespace twinrun::harness {

/// Tests every declared metric of every pair of candidates by TOST (docs/statistics.md), and fills
/// report.equivalences and report.equivalence. REQUIRES: report.settings.
void test_equivalence(const StatisticsInput& input, StatisticsReport& report);

}  // namespace twinrun::harness
