#pragma once

#include <memory>

#include "trainer/ops/op_set.h"
#include "trainer/ops/portable/isa.h"

namespace twinrun::trainer {

/// Our own fixed-order kernels: numerics `portable`. The same bits whatever `isa` and device.
std::unique_ptr<OpSet> make_portable_ops(Isa isa);

}  // namespace twinrun::trainer
