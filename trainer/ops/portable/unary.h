#pragma once

#include <cstdint>

#include "trainer/host_device.h"
#include "trainer/ops/portable/double_double.h"

/// exp, log, 1/sqrt, sin and cos of float32, the same bits on every CPU and GPU: the float nearest
/// to the exact value, for each of the 2^32 arguments (round to nearest, ties to even; subnormal
/// results too). bench/unary_exhaustive proves it on a CPU, bench/unary_gpu that a GPU agrees.
///
/// Computed in double to about 2^-58, then rounded to float once. NaN gives NaN, payload not
/// promised. Flags: see double_double.h. Loops over exp, log and rsqrt vectorise, given
/// -O3 -fno-math-errno -fno-trapping-math (which change no result) and AVX2 with FMA, or AVX-512.
namespace twinrun::trainer::portable {

constexpr double kInfinity = __builtin_huge_val();
constexpr double kNan = __builtin_nan("");
constexpr double kLn2Hi = 0x1.62e42fefa3800p-1;  // 42 bits: its product with an exponent is exact
constexpr double kLn2Lo = 0x1.ef35793c76730p-45;

/// exp(-infinity) = +0. At least 89 is infinite, at most -104 is +0.
///
/// x = n ln 2 + r, |r| <= ln(2) / 2; exp(r) by its Taylor series to r^14, next term below 2^-63.
TWINRUN_HOST_DEVICE static inline float portable_exp(float x) {
  float clamped = x;
  clamped = clamped < -104.0f ? -104.0f : clamped;
  clamped = clamped > 89.0f ? 89.0f : clamped;
  constexpr double kLog2E = 0x1.71547652b82fep+0;
  constexpr double kToInteger = 0x1.8p52;  // leaves the nearest integer in the low bits
  const double shifted = fma_rn(clamped, kLog2E, kToInteger);
  const double n = shifted - kToInteger;
  const double r = fma_rn(n, -kLn2Hi, clamped);  // exact

  double series = 2.0 / 87178291200;
  series = fma_rn(series, r, 2.0 / 6227020800);
  series = fma_rn(series, r, 2.0 / 479001600);
  series = fma_rn(series, r, 2.0 / 39916800);
  series = fma_rn(series, r, 2.0 / 3628800);
  series = fma_rn(series, r, 2.0 / 362880);
  series = fma_rn(series, r, 2.0 / 40320);
  series = fma_rn(series, r, 2.0 / 5040);
  series = fma_rn(series, r, 2.0 / 720);
  series = fma_rn(series, r, 2.0 / 120);
  series = fma_rn(series, r, 2.0 / 24);
  series = fma_rn(series, r, 2.0 / 6);

  // 1 + r + r^2 / 2 + r^3 series / 2 - n kLn2Lo exp(r), the rounding errors of the large terms
  // kept.
  const DoubleDouble half_square = two_product(r, 0.5 * r);
  const DoubleDouble linear = quick_two_sum(1.0, r);
  const DoubleDouble parabola = quick_two_sum(linear.hi, half_square.hi);
  const double rest = fma_rn(r * half_square.hi, series, half_square.lo);
  const double corrected = fma_rn(n * -kLn2Lo, parabola.hi + rest, rest);
  const double small = corrected + (linear.lo + parabola.lo);
  const double mantissa = round_to_odd(quick_two_sum(parabola.hi, small));
  const double scale = double_of((bits_of(shifted) + 1023) << 52);  // 2^n
  return static_cast<float>(mantissa * scale);                      // exact product: n >= -151
}

/// log(+-0) = -infinity, log(below 0) = NaN, log(1) = +0.
///
/// x = 2^e m, m in [sqrt(1/2), sqrt(2)); log m = 2 artanh(s), s = (m - 1) / (m + 1), by its Taylor
/// series to s^25, next term below 2^-65 of the first.
TWINRUN_HOST_DEVICE static inline float portable_log(float x) {
  const double wide = x;
  constexpr std::uint64_t kOne = 0x3FF0000000000000, kSqrtHalf = 0x3FE6A09E667F3BCD;
  const std::uint64_t scaled = bits_of(wide) + (kOne - kSqrtHalf);  // e + 1023 in the exponent
  const double m = double_of((scaled & 0x000FFFFFFFFFFFFF) + kSqrtHalf);
  // An integer in the low bits of 2^52: there is no AVX2 instruction for this conversion.
  const double e = double_of((scaled >> 52) | 0x4330000000000000) - (0x1p52 + 1023);

  const double numerator = m - 1, denominator = m + 1;  // exact
  const double inverse = 1 / denominator;
  const double s = numerator * inverse;
  const double s_lo = fma_rn(-s, denominator, numerator) * inverse;
  const double square = s * s;
  double series = 2.0 / 25;
  series = fma_rn(series, square, 2.0 / 23);
  series = fma_rn(series, square, 2.0 / 21);
  series = fma_rn(series, square, 2.0 / 19);
  series = fma_rn(series, square, 2.0 / 17);
  series = fma_rn(series, square, 2.0 / 15);
  series = fma_rn(series, square, 2.0 / 13);
  series = fma_rn(series, square, 2.0 / 11);
  series = fma_rn(series, square, 2.0 / 9);
  series = fma_rn(series, square, 2.0 / 7);
  series = fma_rn(series, square, 2.0 / 5);
  series = fma_rn(series, square, 2.0 / 3);

  // e ln 2 + 2 s + 2 s_lo (1 + s^2) + s^3 series
  const DoubleDouble large = quick_two_sum(e * kLn2Hi, 2 * s);
  const double rest = fma_rn(s * square, series, fma_rn(2 * s_lo, square, 2 * s_lo));
  const double small = fma_rn(e, kLn2Lo, rest) + large.lo;
  double result = round_to_odd(quick_two_sum(large.hi, small));
  result = wide < kInfinity ? result : wide;  // infinity and NaN
  result = wide >= 0 ? result : kNan;
  result = wide == 0 ? -kInfinity : result;
  return static_cast<float>(result);
}

/// 1 / sqrt(x): of +-0 it is +-infinity, below 0 NaN, of infinity +0.
TWINRUN_HOST_DEVICE static inline float portable_rsqrt(float x) {
  return static_cast<float>(1 / sqrt_rn(x));
}

/// magnitude = (quarter_turns + r) pi / 2 with |r| <= 1/2; here r pi / 2 as a sign and a value.
struct ReducedAngle {
  DoubleDouble value;  ///< 0 or above
  bool negative;
  std::uint32_t quarter_turns;  ///< modulo 2^32
};

/// Payne and Hanek, "Radian reduction for trigonometric functions", 1983: of the bits of 2 / pi
/// only those matter that neither make whole turns nor come out too small. 128 of them, times the
/// 24 of the mantissa, leave r an absolute error below 2^-95; no float other than 0 comes closer to
/// a multiple of pi / 2 than 2^-30. REQUIRES: 1/2 <= magnitude < infinity.
TWINRUN_HOST_DEVICE static inline ReducedAngle reduce_angle(float magnitude) {
  // 32 zero bits, then 256 bits of 2 / pi.
  constexpr std::uint32_t kTwoOverPi[9] = {0,          0xA2F9836E, 0x4E441529,
                                           0xFC2757D1, 0xF534DDC0, 0xDB629599,
                                           0x3C439041, 0xFE5163AB, 0xDEBBC561};
  const std::uint32_t bits = bits_of(magnitude);
  const std::uint64_t mantissa = (bits & 0x007FFFFF) | 0x00800000;
  const std::uint32_t exponent = bits >> 23;  // magnitude = mantissa * 2^(exponent - 150)
  // The bit of 2 / pi that is worth two quarter turns here: those before it make whole turns.
  const std::uint32_t first = exponent - 120;
  const std::uint32_t word = first / 32, shift = first % 32;
  std::uint32_t product[4];  // in quarter turns, modulo 4: 2 bits, then 126 of the fraction
  std::uint64_t carry = 0;
  for (int i = 3; i >= 0; --i) {
    const std::uint64_t pair =
        (std::uint64_t{kTwoOverPi[word + i]} << 32) | kTwoOverPi[word + i + 1];
    carry += mantissa * static_cast<std::uint32_t>(pair >> (32 - shift));
    product[i] = static_cast<std::uint32_t>(carry);
    carry >>= 32;
  }
  const std::uint32_t half = (product[0] >> 29) & 1;
  // The fraction with its sign; ~ is off by 2^-126 from the negation.
  const std::uint32_t flip = 0 - half;
  const std::uint32_t f0 = ((product[0] << 2 | product[1] >> 30) ^ flip);
  const std::uint32_t f1 = ((product[1] << 2 | product[2] >> 30) ^ flip);
  const std::uint32_t f2 = ((product[2] << 2 | product[3] >> 30) ^ flip);
  DoubleDouble fraction = quick_two_sum(f0 * 0x1p-32, f1 * 0x1p-64);
  fraction = quick_two_sum(fraction.hi, fma_rn(f2, 0x1p-96, fraction.lo));
  constexpr DoubleDouble kHalfPi = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54};
  return {fraction * kHalfPi, half != 0, (product[0] >> 30) + half};
}

/// sin(r) and cos(r) by their Taylor series to r^19 and r^20, next terms below 2^-68 of the sum,
/// the first three terms in double-double. REQUIRES: 0 <= r <= pi / 4.
TWINRUN_HOST_DEVICE static inline DoubleDouble sin_near_zero(DoubleDouble r) {
  const DoubleDouble square = r * r;
  double series = -1.0 / 121645100408832000;
  series = fma_rn(series, square.hi, 1.0 / 355687428096000);
  series = fma_rn(series, square.hi, -1.0 / 1307674368000);
  series = fma_rn(series, square.hi, 1.0 / 6227020800);
  series = fma_rn(series, square.hi, -1.0 / 39916800);
  series = fma_rn(series, square.hi, 1.0 / 362880);
  series = fma_rn(series, square.hi, -1.0 / 5040);
  series = fma_rn(series, square.hi, 1.0 / 120);
  constexpr DoubleDouble kThird = {-1.0 / 6, -0x1.5555555555555p-57};
  const DoubleDouble cubic = kThird + square * DoubleDouble{series, 0};
  return r * (DoubleDouble{1, 0} + square * cubic);
}

TWINRUN_HOST_DEVICE static inline DoubleDouble cos_near_zero(DoubleDouble r) {
  const DoubleDouble square = r * r;
  double series = 1.0 / 2432902008176640000;
  series = fma_rn(series, square.hi, -1.0 / 6402373705728000);
  series = fma_rn(series, square.hi, 1.0 / 20922789888000);
  series = fma_rn(series, square.hi, -1.0 / 87178291200);
  series = fma_rn(series, square.hi, 1.0 / 479001600);
  series = fma_rn(series, square.hi, -1.0 / 3628800);
  series = fma_rn(series, square.hi, 1.0 / 40320);
  series = fma_rn(series, square.hi, -1.0 / 720);
  constexpr DoubleDouble kFourth = {1.0 / 24, 0x1.5555555555555p-59};
  const DoubleDouble quartic = kFourth + square * DoubleDouble{series, 0};
  return DoubleDouble{1, 0} + square * (DoubleDouble{-0.5, 0} + square * quartic);
}

/// sin(magnitude + turns pi / 2). REQUIRES: magnitude is not below 0 and not NaN.
TWINRUN_HOST_DEVICE static inline float sin_of_sum(float magnitude, std::uint32_t turns) {
  if (!(magnitude < static_cast<float>(kInfinity))) return static_cast<float>(kNan);
  ReducedAngle angle = {{magnitude, 0}, false, 0};
  if (magnitude > 0.75f) angle = reduce_angle(magnitude);
  turns += angle.quarter_turns;
  const bool odd = (turns & 1) != 0;
  const DoubleDouble value = odd ? cos_near_zero(angle.value) : sin_near_zero(angle.value);
  const bool negative = ((turns & 2) != 0) != (angle.negative && !odd);
  const auto rounded = static_cast<float>(round_to_odd(value));
  return negative ? -rounded : rounded;
}

/// sin(+-0) = +-0, sin(+-infinity) = NaN.
TWINRUN_HOST_DEVICE static inline float portable_sin(float x) {
  const std::uint32_t sign = bits_of(x) & 0x80000000;
  return float_of(bits_of(sin_of_sum(float_of(bits_of(x) ^ sign), 0)) ^ sign);
}

/// cos(+-infinity) = NaN.
TWINRUN_HOST_DEVICE static inline float portable_cos(float x) {
  return sin_of_sum(float_of(bits_of(x) & 0x7FFFFFFF), 1);
}

}  // namespace twinrun::trainer::portable
