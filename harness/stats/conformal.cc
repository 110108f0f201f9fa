#include "harness/stats/conformal.h"

#include <algorithm>
#include <boost/math/distributions/beta.hpp>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "harness/stats/interval.h"

namespace twinrun::harness {
namespace {

/// The p-value of rank `rank`, 1 being above every calibration score.
double p_of_rank(std::size_t rank, std::size_t runs) {
  return static_cast<double>(rank) / static_cast<double>(runs + 1);
}

/// How many ranks have p <= alpha, by that comparison itself: alpha (runs + 1) may be rounded.
std::size_t alarming_ranks(std::size_t runs, double alpha) {
  auto ranks = static_cast<std::size_t>(alpha * static_cast<double>(runs + 1));
  while (ranks > 0 && p_of_rank(ranks, runs) > alpha) --ranks;
  while (p_of_rank(ranks + 1, runs) <= alpha) ++ranks;
  return ranks;
}

}  // namespace

double conformal_p(std::span<const double> calibration, double score) {
  if (calibration.empty()) throw std::invalid_argument("no calibration scores");
  require_finite(calibration, "calibration score");
  std::size_t rank = 1;
  if (std::isfinite(score)) {
    rank += static_cast<std::size_t>(std::count_if(calibration.begin(), calibration.end(),
                                                   [score](double x) { return x >= score; }));
  }
  return p_of_rank(rank, calibration.size());
}

std::optional<double> conformal_limit(std::span<const double> calibration, double alpha) {
  if (calibration.empty()) throw std::invalid_argument("no calibration scores");
  require_finite(calibration, "calibration score");
  require_inside_0_1(alpha, "alpha");
  const std::size_t ranks = alarming_ranks(calibration.size(), alpha);
  if (ranks == 0) return std::nullopt;
  std::vector<double> sorted(calibration.begin(), calibration.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted.at(sorted.size() - ranks);
}

FalseAlarmRate conformal_false_alarms(std::size_t runs, double alpha) {
  if (runs == 0) throw std::invalid_argument("no calibration runs");
  require_inside_0_1(alpha, "alpha");
  const std::size_t ranks = alarming_ranks(runs, alpha);
  if (ranks == 0) return {};
  const boost::math::beta_distribution<double> rate(static_cast<double>(ranks),
                                                    static_cast<double>(runs + 1 - ranks));
  return {.mean = p_of_rank(ranks, runs), .worst = quantile(rate, 0.95)};
}

}  // namespace twinrun::harness
