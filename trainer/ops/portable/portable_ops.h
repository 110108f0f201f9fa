#pragma once

#include <memory>

#include "trainer/ops/op_set.h"

namespace twinrun::trainer {

/// Which CPU kernels: `auto` is the best this CPU has.
enum class Isa { kAuto, kAvx512, kAvx2, kPlain };

/// Our own fixed-order kernels: numerics `portable`. The same bits whatever `isa` and device.
std::unique_ptr<OpSet> make_portable_ops(Isa isa);

}  // namespace twinrun::trainer
