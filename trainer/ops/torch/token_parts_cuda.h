#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace twinrun::trainer {

/// grad[i] += scale ((parts[i] + parts[n + i]) + parts[2 n + i]) + ...), `count` >= 1 of them, each
/// operation rounded; queued on `stream`. Returns what the launch returned.
cudaError_t add_parts_cuda(float* grad, const float* parts, std::int64_t n, std::int64_t count,
                           float scale, cudaStream_t stream);

}  // namespace twinrun::trainer
