// Compiled once for each instruction set, as function TWINRUN_UNARY_LOOP. Calls no inline function
// but static ones: of others the linker keeps one copy for all files, which may be that of AVX-512.

#include "trainer/ops/portable/unary.h"
#include "trainer/ops/portable/unary_loops.h"

namespace twinrun::trainer::portable {
namespace {

template <float (*function)(float)>
void apply(const float* __restrict in, float* __restrict out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = function(in[i]);
}

}  // namespace

void TWINRUN_UNARY_LOOP(Unary function, const float* in, float* out, std::int64_t count) {
  switch (function) {
    case Unary::kExp:
      return apply<portable_exp>(in, out, count);
    case Unary::kLog:
      return apply<portable_log>(in, out, count);
    case Unary::kRsqrt:
      return apply<portable_rsqrt>(in, out, count);
    case Unary::kSin:
      return apply<portable_sin>(in, out, count);
    case Unary::kCos:
      return apply<portable_cos>(in, out, count);
  }
}

}  // namespace twinrun::trainer::portable
