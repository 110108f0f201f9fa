#include "trainer/numerics/denormals.h"

#include <xmmintrin.h>

namespace twinrun::trainer {
namespace {

constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;

}  // namespace

void keep_denormals() {
#pragma omp parallel
  _mm_setcsr(_mm_getcsr() & ~(kFlushToZero | kDenormalsAreZero));
}

bool denormals_are_flushed() {
  bool flushed = false;
#pragma omp parallel reduction(|| : flushed)
  flushed = (_mm_getcsr() & (kFlushToZero | kDenormalsAreZero)) != 0;
  return flushed;
}

}  // namespace twinrun::trainer
