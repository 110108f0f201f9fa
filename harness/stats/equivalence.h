#pragma once

#include <cstdint>
#include <optional>

#include "harness/stats/interval.h"

namespace twinrun::harness {

// Two one-sided tests (TOST) in terms of an interval: at level alpha, both tests reject exactly
// where the interval of confidence 1 - 2 alpha lies inside the margin. Schuirmann, "A comparison of
// the two one-sided tests procedure and the power approach for assessing the equivalence of average
// bioavailability", J. of Pharmacokinetics and Biopharmaceutics 15, 1987.

enum class Equivalence { kEquivalent, kDifferent, kUndecided };

/// kEquivalent iff `interval` lies strictly inside (-margin, margin), kDifferent iff it lies wholly
/// outside [-margin, margin]: an end on the margin decides nothing.
///
/// Throws std::invalid_argument if a number is not finite, low > high, or margin <= 0.
Equivalence judge_equivalence(const Interval& interval, double margin);

/// The confidence of the interval that a test at `alpha` needs: 1 - 2 alpha.
/// Throws std::invalid_argument unless alpha lies inside (0, 0.5).
double tost_confidence(double alpha);

/// What is asked of a test of equivalence before there are data.
struct TostPlan {
  double alpha = 0.05;  ///< how often it may accept a difference as large as the margin
  double power = 0.8;   ///< how often it has to accept where there is no difference
};

// Margins are in the unit of the deviation. All throw std::invalid_argument unless alpha lies in
// (0, 0.5), power in (0, 1), deviation is finite and > 0 and, where it is asked for, margin is too.
// Chow, Shao, Wang, "Sample size calculations in clinical research", section 3.2, with quantiles of
// Student's t in place of the normal ones where the deviation comes from the data.

/// The smallest margin that n paired differences of that standard deviation reach; nullopt if n < 2.
std::optional<double> reachable_margin(double deviation, std::int64_t n, const TostPlan& plan);

/// How many paired differences reach `margin`; at least 2. nullopt if more than 10^15.
std::optional<std::int64_t> differences_needed(double deviation, double margin,
                                               const TostPlan& plan);

/// How many runs in each of two unpaired arms reach `margin`; `deviation` is that between the runs
/// of an arm. At least 2. nullopt if more than 10^15.
std::optional<std::int64_t> runs_per_arm_needed(double deviation, double margin,
                                                const TostPlan& plan);

/// The smallest margin, as a fraction of 1, that n items reach of which the share `disagreement` is
/// right in one system only: sqrt(8.56 disagreement / n) at alpha 0.05 and power 0.8.
/// Throws besides if n < 1 or disagreement is outside (0, 1].
double reachable_margin_of_proportions(double disagreement, std::int64_t n, const TostPlan& plan);

/// How many items reach `margin`. nullopt if more than 10^15.
/// Throws besides if disagreement is outside (0, 1].
std::optional<std::int64_t> items_needed(double disagreement, double margin, const TostPlan& plan);

}  // namespace twinrun::harness
