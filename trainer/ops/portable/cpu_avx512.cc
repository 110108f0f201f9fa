// Built with -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma; called only where the CPU has them.
#include "trainer/ops/portable/vec_avx512.h"
#define TWINRUN_ISA avx512
#include "trainer/ops/portable/cpu_kernels.inc"
