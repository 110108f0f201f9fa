#pragma once

#include <ATen/core/Tensor.h>

#include "trainer/ops/op_set.h"

namespace twinrun::trainer {

// Attention of the vendor's kernels, as OpSet has it: flash attention, on a GPU in float32 the
// memory-efficient one.

AttentionOutput torch_attention(const at::Tensor& q_BHTE, const at::Tensor& k_BKTE,
                                const at::Tensor& v_BKTE, const AttentionLayout& layout);
AttentionGrads torch_attention_backward(const at::Tensor& do_BHTE, const at::Tensor& q_BHTE,
                                        const at::Tensor& k_BKTE, const at::Tensor& v_BKTE,
                                        const AttentionOutput& saved,
                                        const AttentionLayout& layout);

at::Tensor torch_cached_attention(const at::Tensor& q_BHE, const at::Tensor& k_BKCE,
                                  const at::Tensor& v_BKCE, const VisiblePositions& visible);

}  // namespace twinrun::trainer
