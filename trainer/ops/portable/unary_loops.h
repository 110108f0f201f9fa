#pragma once

#include <cstdint>
#include <vector>

/// The functions of unary.h over arrays, compiled once for each instruction set.
namespace twinrun::trainer::portable {

enum class Unary { kExp, kLog, kRsqrt, kSin, kCos };

/// out[i] = function(in[i]) for 0 <= i < count. `in` and `out` do not overlap.
using UnaryLoop = void (*)(Unary function, const float* in, float* out, std::int64_t count);

struct UnaryLoopOfIsa {
  const char* isa;  ///< "x86-64", "AVX2", "AVX-512"
  UnaryLoop run;
};

/// What this CPU can run, best last.
std::vector<UnaryLoopOfIsa> unary_loops();

}  // namespace twinrun::trainer::portable
