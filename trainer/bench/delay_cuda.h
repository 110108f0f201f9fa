#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace twinrun::trainer {

/// Queues a kernel of one thread that waits `ns` by the device's %globaltimer, and up to two of its
/// ticks more. Returns what the launch returned.
cudaError_t wait_cuda(std::int64_t ns, cudaStream_t stream);

}  // namespace twinrun::trainer
