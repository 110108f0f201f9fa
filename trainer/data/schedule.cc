// Compiled with -ffp-contract=off (see CMakeLists.txt): a fused multiply-add would change bits from
// machine to machine.
#include "trainer/data/schedule.h"

#include <algorithm>
#include <numbers>

namespace twinrun::trainer {
namespace {

// pi = kPiHigh + kPiLow to 107 bits.
constexpr double kPiHigh = std::numbers::pi;
constexpr double kPiLow = 1.2246467991473532e-16;

// An angle in two doubles: 53 bits would cost a third of an ulp in the result.
struct Angle {
  double high, low;
};

// a - x for a = a_high + a_low. REQUIRES: a_high - x is exact, as it is for 1/2 <= a_high / x <= 2,
// and for x near enough to a_high.
Angle difference(double a_high, double a_low, double x) {
  const double exact = a_high - x;
  const double high = exact + a_low;
  return {high, (exact - high) + a_low};
}

// Taylor series; for |x| <= pi/4 the first term left out is below 1e-19 of the result.

double sin_near_zero(Angle angle) {
  const double x = angle.high;
  const double z = x * x;
  double sum = 1.0 / 355687428096000.0;  // 1/17!
  sum = sum * z - 1.0 / 1307674368000.0;
  sum = sum * z + 1.0 / 6227020800.0;
  sum = sum * z - 1.0 / 39916800.0;
  sum = sum * z + 1.0 / 362880.0;
  sum = sum * z - 1.0 / 5040.0;
  sum = sum * z + 1.0 / 120.0;
  sum = sum * z - 1.0 / 6.0;
  return x + (x * z * sum + angle.low * (1.0 - 0.5 * z));
}

double cos_near_zero(Angle angle) {
  const double x = angle.high;
  const double z = x * x;
  double sum = -1.0 / 6402373705728000.0;  // 1/18!
  sum = sum * z + 1.0 / 20922789888000.0;
  sum = sum * z - 1.0 / 87178291200.0;
  sum = sum * z + 1.0 / 479001600.0;
  sum = sum * z - 1.0 / 3628800.0;
  sum = sum * z + 1.0 / 40320.0;
  sum = sum * z - 1.0 / 720.0;
  sum = sum * z + 1.0 / 24.0;
  // 1 - z/2 rounds; what it lost comes back with the tail.
  const double half = 0.5 * z;
  const double head = 1.0 - half;
  return head + (((1.0 - head) - half) + (z * z * sum - x * angle.low));
}

}  // namespace

double portable_cos(double x) {
  if (x <= 0.25 * kPiHigh) return cos_near_zero({x, 0.0});
  if (x <= 0.75 * kPiHigh) return sin_near_zero(difference(0.5 * kPiHigh, 0.5 * kPiLow, x));
  return -cos_near_zero(difference(kPiHigh, kPiLow, x));
}

std::optional<ScheduleName> schedule_from_name(std::string_view name) {
  if (name == "constant") return ScheduleName::kConstant;
  if (name == "linear") return ScheduleName::kLinear;
  if (name == "cosine") return ScheduleName::kCosine;
  return std::nullopt;
}

double Schedule::learning_rate(std::int64_t step) const {
  const std::int64_t done = step - 1;
  if (done < warmup_steps) {
    return base_lr * (static_cast<double>(done) / static_cast<double>(warmup_steps));
  }
  if (name == ScheduleName::kConstant) return base_lr;
  const auto decay_steps =
      static_cast<double>(std::max<std::int64_t>(1, total_steps - warmup_steps));
  if (name == ScheduleName::kLinear) {
    return base_lr * std::max(0.0, static_cast<double>(total_steps - done) / decay_steps);
  }
  const double progress = static_cast<double>(done - warmup_steps) / decay_steps;
  // A step beyond total_steps would climb again in transformers; there is none.
  const double angle = std::min(std::numbers::pi * progress, std::numbers::pi);
  return base_lr * std::max(0.0, 0.5 * (1.0 + portable_cos(angle)));
}

}  // namespace twinrun::trainer
