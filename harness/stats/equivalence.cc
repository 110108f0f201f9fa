#include "harness/stats/equivalence.h"

#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <stdexcept>
#include <string>

namespace twinrun::harness {
namespace {

void require_positive(double value, const char* name) {
  if (!(std::isfinite(value) && value > 0)) {
    throw std::invalid_argument(std::string(name) + " is not a finite number above 0");
  }
}

}  // namespace

Equivalence judge_equivalence(const Interval& interval, double margin) {
  require_positive(margin, "margin");
  if (!std::isfinite(interval.low) || !std::isfinite(interval.high)) {
    throw std::invalid_argument("an end of the interval is not finite");
  }
  if (interval.low > interval.high) throw std::invalid_argument("the ends are exchanged");
  if (-margin < interval.low && interval.high < margin) return Equivalence::kEquivalent;
  if (interval.high < -margin || margin < interval.low) return Equivalence::kDifferent;
  return Equivalence::kUndecided;
}

double tost_confidence(double alpha) {
  if (!(alpha > 0 && alpha < 0.5)) throw std::invalid_argument("alpha is not inside (0, 0.5)");
  return 1 - 2 * alpha;
}

std::optional<double> reachable_margin(double deviation, std::int64_t n, const TostPlan& plan) {
  require_positive(deviation, "deviation");
  tost_confidence(plan.alpha);
  require_inside_0_1(plan.power, "power");
  if (n < 2) return std::nullopt;
  const auto count = static_cast<double>(n);
  const boost::math::students_t_distribution<double> t(count - 1);
  // With no true difference both tests have to pass: each may fail in half of what power leaves.
  const double quantiles =
      quantile(complement(t, plan.alpha)) + quantile(complement(t, (1 - plan.power) / 2));
  return quantiles * deviation / std::sqrt(count);
}

}  // namespace twinrun::harness
