// Built with -mavx2 -mfma; called only where the CPU has them.
#include "trainer/ops/portable/vec_avx2.h"
#define TWINRUN_ISA avx2
#include "trainer/ops/portable/cpu_kernels.inc"
