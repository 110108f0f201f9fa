#pragma once

#include <cstdint>

#include "harness/stats/interval.h"

namespace twinrun::harness {

// What `successes` of `trials` say about the probability of a success, if trials are independent
// and all have the same. Clopper and Pearson, "The use of confidence or fiducial limits illustrated
// in the case of the binomial", Biometrika 26, 1934: a bound is the probability at which so many
// successes or more (or fewer) would be just as rare as asked for. The confidence is at least the
// stated one, whatever the probability is.
//
// All throw std::invalid_argument unless trials >= 1, 0 <= successes <= trials and `confidence`
// lies inside (0, 1).

/// Largest probability still believed at one-sided `confidence`: 0 of 59 at 0.95 gives 0.0495.
double binomial_upper(std::int64_t successes, std::int64_t trials, double confidence);

/// Two-sided: (1 - confidence) / 2 at either end.
Interval binomial_interval(std::int64_t successes, std::int64_t trials, double confidence);

}  // namespace twinrun::harness
