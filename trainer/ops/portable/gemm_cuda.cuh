#pragma once

#include <cstdint>

#include "trainer/ops/portable/backend.h"

namespace twinrun::trainer::portable {

/// Queues the product on `stream`. Returns what the launch returned.
cudaError_t gemm_cuda(const Gemm& gemm, const Batch& batch, cudaStream_t stream);

}  // namespace twinrun::trainer::portable
