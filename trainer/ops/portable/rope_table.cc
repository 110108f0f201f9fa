#include "trainer/ops/portable/rope_table.h"

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "trainer/ops/portable/double_double.h"
#include "trainer/ops/portable/unary.h"

namespace twinrun::trainer::portable {
namespace {

constexpr double kLn2Rest = 0x1.f97b57a079a19p-103;  // ln 2 - kLn2Hi - kLn2Lo, rounded

/// Of numbers of any signs and sizes; Knuth's two-sum, The Art of Computer Programming 2, 4.2.2.
DoubleDouble sum(DoubleDouble a, DoubleDouble b) {
  const double total = a.hi + b.hi, part = total - a.hi;
  const double error = (a.hi - (total - part)) + (b.hi - part);
  return quick_two_sum(total, error + (a.lo + b.lo));
}

DoubleDouble quotient(DoubleDouble a, DoubleDouble b) {
  const double first = a.hi / b.hi;
  const double rest = fma_rn(-first, b.lo, fma_rn(-first, b.hi, a.hi) + a.lo);
  return quick_two_sum(first, rest / b.hi);
}

DoubleDouble multiple_of_ln2(double n) {
  return sum({n * kLn2Hi, 0}, sum(two_product(n, kLn2Lo), {n * kLn2Rest, 0}));
}

/// As portable_log: x = 2^e m, log m = 2 artanh(s); terms to s^45, next one below 2^-118 of the
/// sum.
DoubleDouble log_of(double x) {
  int e = 0;
  double m = std::frexp(x, &e);
  if (m < 0.7071) {
    m *= 2;
    --e;
  }
  const DoubleDouble s = quotient({m - 1, 0}, sum({m, 0}, {1, 0}));
  const DoubleDouble square = s * s;
  DoubleDouble series = {0, 0};
  for (int k = 45; k >= 1; k -= 2) {
    series = sum(quotient({1, 0}, {static_cast<double>(k), 0}), square * series);
  }
  return sum(multiple_of_ln2(e), DoubleDouble{2, 0} * s * series);
}

/// exp(x) = hi + lo. Taylor series to r^28, next term below 2^-145. REQUIRES: -710 < x <= 0.
DoubleDouble exp_of(DoubleDouble x) {
  const double n = std::nearbyint(x.hi * 0x1.71547652b82fep+0);
  const DoubleDouble r = sum(x, multiple_of_ln2(-n));
  DoubleDouble series = {1, 0};
  for (int k = 28; k >= 1; --k) {
    series = sum({1, 0}, quotient(r * series, {static_cast<double>(k), 0}));
  }
  const int exponent = static_cast<int>(n);
  return {std::ldexp(series.hi, exponent), std::ldexp(series.lo, exponent)};
}

/// Llama3Scaling of the frequency f. The function has no jump, so an error in `turns` that takes
/// the other branch changes the result by no more than that error does.
DoubleDouble scaled(DoubleDouble f, const Llama3Scaling& l) {
  constexpr DoubleDouble kTwoPi = {0x1.921fb54442d18p+2, 0x1.1a62633145c07p-52};
  const auto positions = static_cast<double>(l.original_max_positions);
  const DoubleDouble turns = quotient(DoubleDouble{positions, 0} * f, kTwoPi);
  const DoubleDouble slow = quotient(f, {l.factor, 0});
  if (turns.hi < l.low_freq_factor) return slow;
  if (turns.hi > l.high_freq_factor) return f;
  const DoubleDouble s = quotient(sum(turns, {-l.low_freq_factor, 0}),
                                  sum({l.high_freq_factor, 0}, {-l.low_freq_factor, 0}));
  return sum(slow * sum({1, 0}, {-s.hi, -s.lo}), f * s);
}

}  // namespace

float portable_inv_freq(const RopeConfig& rope, std::int64_t index, std::int64_t head_dim) {
  const double theta = rope.theta;
  const std::string where = "theta " + std::to_string(theta) + ", index " + std::to_string(index) +
                            ", head_dim " + std::to_string(head_dim);
  const std::int64_t half = head_dim / 2;
  if (!(theta >= 1 && theta < kInfinity) || head_dim % 2 != 0 || index < 0 || index >= half) {
    throw std::domain_error(
        "RoPE frequency: needs theta >= 1, an even head_dim and 0 <= index < head_dim / 2, not " +
        where);
  }
  const DoubleDouble exponent = quotient(
      log_of(theta) * DoubleDouble{-static_cast<double>(index), 0}, {static_cast<double>(half), 0});
  const DoubleDouble plain = exp_of(exponent);
  const DoubleDouble value = rope.llama3 ? scaled(plain, *rope.llama3) : plain;
  // 104 bits less those lost to |exponent| < 2^10 and to some hundred roundings; scaling may lose
  // ten more, to a small difference of its factors.
  const double error = value.hi * (rope.llama3 ? 0x1p-70 : 0x1p-80);
  const auto rounded = [&](double change) {
    return static_cast<float>(round_to_odd(quick_two_sum(value.hi, value.lo + change)));
  };
  if (rounded(-error) != rounded(error)) {
    throw std::domain_error("RoPE frequency: too near to the middle between two floats: " + where);
  }
  return rounded(0);
}

void rope_table(const RopeConfig& rope, std::int64_t head_dim, std::int64_t length, float* cos,
                float* sin) {
  std::vector<float> inv_freq;
  for (std::int64_t i = 0; i < head_dim / 2; ++i) {
    inv_freq.push_back(portable_inv_freq(rope, i, head_dim));
  }
  for (std::int64_t position = 0; position < length; ++position) {
    for (const float frequency : inv_freq) {
      const float angle = static_cast<float>(position) * frequency;
      *cos++ = portable_cos(angle);
      *sin++ = portable_sin(angle);
    }
  }
}

}  // namespace twinrun::trainer::portable
