#pragma once

namespace twinrun::bench {

/// Float32 FMAs that one thread of this CPU does a second now, in 1e9 operations (two an FMA), with
/// the widest vectors it has: the median of three runs of independent chains in registers.
double fma_peak_gflops();

}  // namespace twinrun::bench
