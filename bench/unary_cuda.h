#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "trainer/ops/portable/unary_loops.h"

namespace twinrun::bench {

/// out[i] = function(the float whose bits are first + i) for 0 <= i < count, `out` in device
/// memory; queued on `stream`. Returns what the launch returned.
cudaError_t unary_cuda(trainer::portable::Unary function, std::uint32_t first, float* out,
                       std::int64_t count, cudaStream_t stream);

}  // namespace twinrun::bench
