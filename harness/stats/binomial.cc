#include "harness/stats/binomial.h"

#include <boost/math/distributions/beta.hpp>
#include <stdexcept>

namespace twinrun::harness {
namespace {

using Beta = boost::math::beta_distribution<double>;

void require_counts(std::int64_t successes, std::int64_t trials) {
  if (trials < 1) throw std::invalid_argument("no trials");
  if (successes < 0 || successes > trials) {
    throw std::invalid_argument("successes are not between 0 and the number of trials");
  }
}

/// The upper bound, at which `tail` is left beyond it.
double upper(std::int64_t successes, std::int64_t trials, double tail) {
  if (successes == trials) return 1;
  const Beta beta(static_cast<double>(successes) + 1, static_cast<double>(trials - successes));
  return quantile(complement(beta, tail));
}

double lower(std::int64_t successes, std::int64_t trials, double tail) {
  if (successes == 0) return 0;
  const Beta beta(static_cast<double>(successes), static_cast<double>(trials - successes) + 1);
  return quantile(beta, tail);
}

}  // namespace

double binomial_upper(std::int64_t successes, std::int64_t trials, double confidence) {
  require_counts(successes, trials);
  require_inside_0_1(confidence, "confidence");
  return upper(successes, trials, 1 - confidence);
}

Interval binomial_interval(std::int64_t successes, std::int64_t trials, double confidence) {
  require_counts(successes, trials);
  require_inside_0_1(confidence, "confidence");
  const double tail = (1 - confidence) / 2;
  return {.estimate = static_cast<double>(successes) / static_cast<double>(trials),
          .low = lower(successes, trials, tail),
          .high = upper(successes, trials, tail)};
}

}  // namespace twinrun::harness
