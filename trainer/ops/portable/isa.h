#pragma once

namespace twinrun::trainer {

/// Which CPU kernels of the portable op set: `auto` is the best this CPU has. All give the same
/// bits.
enum class Isa { kAuto, kAvx512, kAvx2, kPlain };

}  // namespace twinrun::trainer
