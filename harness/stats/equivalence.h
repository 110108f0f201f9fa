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

/// The smallest margin, in the unit of the deviation, that n paired differences of that standard
/// deviation reach if they are nearly normal; nullopt if n < 2. Chow, Shao, Wang, "Sample size
/// calculations in clinical research", section 3.2, with quantiles of Student's t in place of the
/// normal ones, since the deviation comes from the data.
///
/// Not of answers that are right or wrong: where fewer than about 50 flip, such a formula promises
/// a power of 80 % and keeps 36 to 75 (docs/statistics.md). Nor of the steps of a curve, which are
/// not independent of each other.
///
/// Throws std::invalid_argument unless alpha lies in (0, 0.5), power in (0, 1) and deviation is
/// finite and > 0.
std::optional<double> reachable_margin(double deviation, std::int64_t n, const TostPlan& plan);

}  // namespace twinrun::harness
