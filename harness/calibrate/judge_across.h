#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/calibrate/judge_statistics.h"

namespace twinrun::harness {

/// Pairs of runs of one identity, so of the same seeds, whose comparability keys differ all the
/// same: they were made by different kinds of machine. By their places in `runs`.
std::vector<std::pair<std::size_t, std::size_t>> pairs_across(
    const std::vector<const RunView*>& runs);

/// Judges runs of several kinds of machine by their metrics alone: nothing is calibrated for two
/// kinds at once. Check `equivalence` is that of judge_statistics, of `pairs`; `calibration` is
/// NOT_RUN (`across`). Of each metric report.spread says how far runs with other seeds are apart on
/// one kind of machine, where there are such: what a difference is to be measured by.
/// report.across says what the kinds differ in.
StatisticsReport judge_across(const StatisticsInput& input,
                              const std::vector<std::pair<std::size_t, std::size_t>>& pairs);

}  // namespace twinrun::harness
