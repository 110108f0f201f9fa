#include "harness/stats/equivalence.h"

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <stdexcept>
#include <string>

namespace twinrun::harness {
namespace {

constexpr double kMost = 1e15;  // n: whole numbers that a double tells apart

void require_positive(double value, const char* name) {
  if (!(std::isfinite(value) && value > 0)) {
    throw std::invalid_argument(std::string(name) + " is not a finite number above 0");
  }
}

void require_plan(const TostPlan& plan) {
  tost_confidence(plan.alpha);
  require_inside_0_1(plan.power, "power");
}

/// Critical value at alpha plus the quantile of the power: with no true difference both tests have
/// to pass, so each may fail in half of what power leaves.
template <typename Distribution>
double quantiles(const Distribution& distribution, const TostPlan& plan) {
  return quantile(complement(distribution, plan.alpha)) +
         quantile(complement(distribution, (1 - plan.power) / 2));
}

double normal_quantiles(const TostPlan& plan) {
  return quantiles(boost::math::normal_distribution<double>(), plan);
}

double t_quantiles(double freedom, const TostPlan& plan) {
  return quantiles(boost::math::students_t_distribution<double>(freedom), plan);
}

/// Smallest n >= 2 with n >= arms (quantiles deviation / margin)^2, `arms` being 1 for paired
/// differences and 2 for two arms of n. Fewer degrees of freedom never need fewer.
std::optional<std::int64_t> smallest_n(double deviation, double margin, const TostPlan& plan,
                                       int arms) {
  const double ratio = deviation / margin;
  const auto enough = [&](double n) {
    const double needed = t_quantiles(arms * (n - 1), plan) * ratio;
    return arms * needed * needed <= n;
  };
  const double known = normal_quantiles(plan) * ratio;
  if (!(arms * known * known <= kMost)) return std::nullopt;
  // The t distribution asks for a few more than the normal one.
  double n = std::max(2.0, std::ceil(arms * known * known));
  while (!enough(n)) ++n;
  return static_cast<std::int64_t>(n);
}

void require_disagreement(double disagreement) {
  if (!(disagreement > 0 && disagreement <= 1)) {
    throw std::invalid_argument("disagreement is not inside (0, 1]");
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
  require_plan(plan);
  if (n < 2) return std::nullopt;
  const auto count = static_cast<double>(n);
  return t_quantiles(count - 1, plan) * deviation / std::sqrt(count);
}

std::optional<std::int64_t> differences_needed(double deviation, double margin,
                                               const TostPlan& plan) {
  require_positive(deviation, "deviation");
  require_positive(margin, "margin");
  require_plan(plan);
  return smallest_n(deviation, margin, plan, 1);
}

std::optional<std::int64_t> runs_per_arm_needed(double deviation, double margin,
                                                const TostPlan& plan) {
  require_positive(deviation, "deviation");
  require_positive(margin, "margin");
  require_plan(plan);
  return smallest_n(deviation, margin, plan, 2);
}

double reachable_margin_of_proportions(double disagreement, std::int64_t n, const TostPlan& plan) {
  require_disagreement(disagreement);
  require_plan(plan);
  if (n < 1) throw std::invalid_argument("no items");
  return normal_quantiles(plan) * std::sqrt(disagreement / static_cast<double>(n));
}

std::optional<std::int64_t> items_needed(double disagreement, double margin, const TostPlan& plan) {
  require_disagreement(disagreement);
  require_positive(margin, "margin");
  require_plan(plan);
  const double root = normal_quantiles(plan) * std::sqrt(disagreement) / margin;
  if (!(root * root <= kMost)) return std::nullopt;
  return static_cast<std::int64_t>(std::max(1.0, std::ceil(root * root)));
}

}  // namespace twinrun::harness
