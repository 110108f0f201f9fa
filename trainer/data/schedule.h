#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace twinrun::trainer {

enum class ScheduleName { kConstant, kLinear, kCosine };

/// `constant`, `linear` or `cosine`; nullopt for any other name.
std::optional<ScheduleName> schedule_from_name(std::string_view name);

/// Learning rates of a run, as transformers' get_{constant,linear,cosine}_schedule_with_warmup
/// compute them (num_cycles 0.5): equal to 1e-15 relative, or 1e-15 of base_lr near zero, and the
/// same bits on every machine.
struct Schedule {
  ScheduleName name = ScheduleName::kConstant;
  double base_lr = 0;
  std::int64_t warmup_steps = 0;
  std::int64_t total_steps = 0;

  /// The learning rate that step `step` uses. Steps count from 1, so with warm-up the first is 0.
  double learning_rate(std::int64_t step) const;
};

/// cos(x) for 0 <= x <= pi, within 1 ulp, without libm (whose cos differs between systems).
double portable_cos(double x);

/// beta, beta^2, beta^3, ... as running products (pow differs between systems).
class BetaPowers {
 public:
  explicit BetaPowers(double beta) : beta_(beta) {}
  /// The next power: beta at the first call.
  double next() { return power_ *= beta_; }
  /// The last power: 1 before the first call.
  double power() const { return power_; }
  /// Goes on behind `power`, which another one told.
  void restore(double power) { power_ = power; }

 private:
  double beta_, power_ = 1;
};

}  // namespace twinrun::trainer
