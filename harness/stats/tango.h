#pragma once

#include <cstdint>

#include "harness/stats/interval.h"

namespace twinrun::harness {

// Two systems on the same `n` items, each right or wrong: `only_a` items are right in the first
// alone, `only_b` in the second alone. How both do on the others carries nothing about the
// difference. Items have to be independent of each other.
//
// Both throw std::invalid_argument if a count is negative; tango_interval besides unless
// 1 <= n < 2^53, only_a + only_b <= n and `confidence` lies inside (0, 1).

/// The difference of the shares that are right, second less first, (only_b - only_a) / n, and the
/// differences that the score test does not reject, two-sided at `confidence`. Inside [-1, 1]; at
/// no disagreement +-z^2 / (n + z^2) and not a point, z being the normal quantile. Exact but for
/// the rounding of a dozen operations. Tango, "Equivalence test and confidence interval for the
/// difference in proportions for the paired-sample design", Statistics in Medicine 17, 1998,
/// section 3.
Interval tango_interval(std::int64_t only_a, std::int64_t only_b, std::int64_t n,
                        double confidence);

/// Two-sided p of "both are equally good": twice the smaller tail of Binomial(only_a + only_b,
/// 1/2), at most 1; 1 without a disagreement. McNemar, "Note on the sampling error of the
/// difference between correlated proportions or percentages", Psychometrika 12, 1947, in its exact
/// form.
double mcnemar_p(std::int64_t only_a, std::int64_t only_b);

}  // namespace twinrun::harness
