#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace twinrun::trainer {

/// SHA-256 of `leaves` pieces of device memory, one thread a piece, queued on `stream`. Returns
/// what the launch returned.
///
///   table  int64 [leaves, 2] in device memory: address and length (up to 4,096)
///   out    [leaves, 32] in device memory
cudaError_t hash_leaves_cuda(const std::int64_t* table, std::uint8_t* out, std::int64_t leaves,
                             cudaStream_t stream);

}  // namespace twinrun::trainer
