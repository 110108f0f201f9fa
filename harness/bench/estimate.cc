#include "harness/bench/estimate.h"

#include <cmath>

#include "harness/stats/signed_rank.h"

namespace twinrun::harness {

double Block::log_ratio() const {
  double sum = 0;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const double log_time = std::log(windows[i].step_ns());
    sum += order.at(i) == 'A' ? -log_time : log_time;
  }
  return sum / 2;
}

std::string Block::excluded() const {
  for (const Window& window : windows) {
    if (std::string why = exclusion(window); !why.empty()) return why;
  }
  return {};
}

int Estimate::blocks_excluded() const {
  int sum = 0;
  for (const auto& [reason, count] : excluded) sum += count;
  return sum;
}

bool Estimate::precise(int blocks_least, double half_width_most) const {
  return blocks >= blocks_least && ratio.has_value() && half_width <= half_width_most;
}

bool enough_count(const Estimate& estimate, const BenchSettings& settings) {
  return estimate.blocks_excluded() <= settings.excluded_max * estimate.blocks_tried();
}

int blocks_for_interval(double confidence) {
  // All n blocks on one side of the truth, either side: probability 2 / 2^n.
  return static_cast<int>(std::ceil(std::log2(2 / (1 - confidence))));
}

void set_interval(Estimate& estimate, double low, double high) {
  estimate.low = low;
  estimate.high = high;
  estimate.half_width = (high - low) / 2 / *estimate.ratio;
  // The half-width is about 1.96 standard errors, and 0.84 more are exceeded with probability 0.8.
  constexpr double kSeenWith80Percent = (1.96 + 0.84) / 1.96;
  estimate.smallest_effect = kSeenWith80Percent * estimate.half_width;
}

Estimate estimate(const std::vector<Block>& blocks, double confidence) {
  Estimate result;
  std::vector<double> log_ratios;
  for (const Block& block : blocks) {
    if (const std::string why = block.excluded(); !why.empty()) {
      ++result.excluded[why];
      continue;
    }
    log_ratios.push_back(block.log_ratio());
  }
  result.blocks = static_cast<int>(log_ratios.size());
  const std::optional<RankInterval> interval = signed_rank_interval(log_ratios, confidence);
  if (!interval) return result;
  result.ratio = std::exp(interval->estimate);
  set_interval(result, std::exp(interval->low), std::exp(interval->high));
  return result;
}

}  // namespace twinrun::harness
