#include "trainer/ops/portable/cpu_kernels.h"

#include <stdexcept>

namespace twinrun::trainer::portable {

namespace avx512 {
extern const CpuKernels kKernels;
}
namespace avx2 {
extern const CpuKernels kKernels;
}
namespace plain {
extern const CpuKernels kKernels;
}

namespace {

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("fma");
}

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

}  // namespace

std::int64_t gemm_counters(const Gemm& gemm) {
  const auto k_max = gemm.chained ? kChainSteps : kGemmBlockK;
  const auto across = (gemm.n + kGemmBlockCols - 1) / kGemmBlockCols;
  return 2 * across * ((gemm.k + k_max - 1) / k_max);
}

const CpuKernels& cpu_kernels(Isa isa) {
  switch (isa) {
    case Isa::kAuto:
      return has_avx512() ? avx512::kKernels : has_avx2() ? avx2::kKernels : plain::kKernels;
    case Isa::kAvx512:
      if (!has_avx512()) throw std::invalid_argument("isa: avx512, but this CPU has no AVX-512");
      return avx512::kKernels;
    case Isa::kAvx2:
      if (!has_avx2()) throw std::invalid_argument("isa: avx2, but this CPU has no AVX2 with FMA");
      return avx2::kKernels;
    case Isa::kPlain:
      break;
  }
  return plain::kKernels;
}

}  // namespace twinrun::trainer::portable
