#pragma once

#include <cstdint>

#include "trainer/host_device.h"

/// Numbers of about 106 bits as unevaluated sums of two doubles, for host and device: the last
/// steps of functions that are rounded to float once.
///
/// Only IEEE operations, so that the bits are the same everywhere: compile with -ffp-contract=off
/// (g++) or -fmad=false (nvcc), and never with -ffast-math. Double `/` and sqrt are IEEE in nvcc
/// whatever its flags say of float.
///
/// Everything is `static`: a file compiled for AVX-512 must not lend its copy of an inline function
/// to one that runs on every CPU, which is what linkers do with the copies of `inline`.
namespace twinrun::trainer::portable {

/// a * b + c, rounded once.
TWINRUN_HOST_DEVICE static inline double fma_rn(double a, double b, double c) {
#if defined(__CUDA_ARCH__)
  return __fma_rn(a, b, c);
#else
  return __builtin_fma(a, b, c);
#endif
}

TWINRUN_HOST_DEVICE static inline double sqrt_rn(double x) {
#if defined(__CUDA_ARCH__)
  return __dsqrt_rn(x);
#else
  return __builtin_sqrt(x);
#endif
}

TWINRUN_HOST_DEVICE static inline std::uint64_t bits_of(double x) {
  return __builtin_bit_cast(std::uint64_t, x);
}

TWINRUN_HOST_DEVICE static inline std::uint32_t bits_of(float x) {
  return __builtin_bit_cast(std::uint32_t, x);
}

TWINRUN_HOST_DEVICE static inline double double_of(std::uint64_t bits) {
  return __builtin_bit_cast(double, bits);
}

TWINRUN_HOST_DEVICE static inline float float_of(std::uint32_t bits) {
  return __builtin_bit_cast(float, bits);
}

/// hi + lo with |lo| <= half an ulp of hi, where that was normalised.
struct DoubleDouble {
  double hi, lo;
};

/// a + b exactly. REQUIRES: |a| >= |b|, or a == 0. Dekker 1971.
TWINRUN_HOST_DEVICE static inline DoubleDouble quick_two_sum(double a, double b) {
  const double sum = a + b;
  return {sum, b - (sum - a)};
}

/// a * b exactly, unless the low part underflows.
TWINRUN_HOST_DEVICE static inline DoubleDouble two_product(double a, double b) {
  const double product = a * b;
  return {product, fma_rn(a, b, -product)};
}

/// Relative error below 2^-103 where a and b have the same sign. REQUIRES: |a| >= |b|, or a == 0.
TWINRUN_HOST_DEVICE static inline DoubleDouble operator+(DoubleDouble a, DoubleDouble b) {
  const DoubleDouble sum = quick_two_sum(a.hi, b.hi);
  return quick_two_sum(sum.hi, sum.lo + (a.lo + b.lo));
}

/// Relative error below 2^-102.
TWINRUN_HOST_DEVICE static inline DoubleDouble operator*(DoubleDouble a, DoubleDouble b) {
  const DoubleDouble product = two_product(a.hi, b.hi);
  const double cross = fma_rn(a.hi, b.lo, fma_rn(a.lo, b.hi, product.lo));
  return quick_two_sum(product.hi, cross);
}

/// hi + lo rounded to odd: exact numbers stay, others go to the neighbour with an odd last bit. A
/// conversion to float then rounds as from the exact sum, since no double that ends in an odd bit
/// lies on a boundary between floats. REQUIRES: normalised. NaN stays NaN.
/// Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", IEEE TC 2008.
TWINRUN_HOST_DEVICE static inline double round_to_odd(DoubleDouble x) {
  const std::uint64_t hi = bits_of(x.hi), lo = bits_of(x.lo);
  const std::uint64_t inexact = x.lo != 0 ? 1 : 0;
  const std::uint64_t toward_zero = ((hi ^ lo) >> 63) & inexact;
  return double_of((hi - toward_zero) | inexact);
}

}  // namespace twinrun::trainer::portable
