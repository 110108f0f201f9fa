#pragma once

#include <cstdint>

#include "trainer/ops/portable/backend.h"

namespace twinrun::trainer::portable {

/// Queues the product on `stream`. Returns what the launch returned.
cudaError_t gemm_cuda(const Gemm& gemm, const Batch& batch, cudaStream_t stream);

/// Whether gemm_rank_cuda can take this product: m, n or k is a rank of LoRA, and its memory can be
/// read by four.
bool fits_rank_kernel(const Gemm& gemm);

/// A product one of whose sides is a rank of LoRA; the bits of gemm_cuda. REQUIRES:
/// fits_rank_kernel(gemm). Returns what the launch returned.
cudaError_t gemm_rank_cuda(const Gemm& gemm, cudaStream_t stream);

}  // namespace twinrun::trainer::portable
