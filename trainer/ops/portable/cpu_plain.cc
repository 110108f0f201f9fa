// Built for any x86-64.
#include "trainer/ops/portable/vec_plain.h"
#define TWINRUN_ISA plain
#include "trainer/ops/portable/cpu_kernels.inc"
