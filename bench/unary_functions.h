#pragma once

#include <cmath>
#include <cstdint>

#include "trainer/ops/portable/unary_loops.h"

/// What unary_exhaustive and unary_gpu share.
namespace twinrun::bench {

struct UnaryFunction {
  trainer::portable::Unary function;
  const char* name;
};

constexpr UnaryFunction kUnaryFunctions[] = {{trainer::portable::Unary::kExp, "exp"},
                                             {trainer::portable::Unary::kLog, "log"},
                                             {trainer::portable::Unary::kRsqrt, "rsqrt"},
                                             {trainer::portable::Unary::kSin, "sin"},
                                             {trainer::portable::Unary::kCos, "cos"}};

constexpr std::int64_t kFloats = std::int64_t{1} << 32;

/// The same bits, or both NaN.
inline bool same_float(float a, float b) {
  return __builtin_bit_cast(std::uint32_t, a) == __builtin_bit_cast(std::uint32_t, b) ||
         (std::isnan(a) && std::isnan(b));
}

}  // namespace twinrun::bench
