#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace twinrun::harness {

// How extreme a score is among those of calibration runs. If candidate and calibration runs come
// from the same process, in any order, the p-value is at most alpha with probability at most alpha,
// whatever the distribution of scores is. Vovk, Gammerman, Shafer, "Algorithmic learning in a
// random world", section 2.2.

/// (1 + number of calibration scores >= score) / (calibration.size() + 1). A score that is not
/// finite gets the smallest p-value that there is: NaN compares false, and would pass.
///
/// Throws std::invalid_argument if there is no calibration score or one is not finite.
double conformal_p(std::span<const double> calibration, double score);

/// The score that alarms alone exceed: p <= alpha just for scores above it. nullopt where no rank
/// alarms. Throws as conformal_p, and unless alpha lies inside (0, 1).
std::optional<double> conformal_limit(std::span<const double> calibration, double alpha);

/// How often a clean run has p <= alpha.
struct FalseAlarmRate {
  double mean = 0;   ///< over calibrations
  double worst = 0;  ///< of one calibration, which 95 % of calibrations do not exceed
};

/// Of `runs` calibration scores without ties: floor(alpha (runs + 1)) ranks alarm, and the rate of
/// a calibration has the distribution Beta(ranks, runs + 1 - ranks). 0 where no rank does, since
/// then nothing is ever found. Wilks, "Determination of sample sizes for setting tolerance limits",
/// Annals of Mathematical Statistics 12, 1941.
///
/// Throws std::invalid_argument if runs is 0 or alpha is not inside (0, 1).
FalseAlarmRate conformal_false_alarms(std::size_t runs, double alpha);

}  // namespace twinrun::harness
