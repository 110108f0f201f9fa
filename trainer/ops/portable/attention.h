#pragma once

#include <ATen/core/Tensor.h>

#include "trainer/ops/op_set.h"
#include "trainer/ops/portable/backend.h"

namespace twinrun::trainer::portable {

/// The memory of a contiguous float32 tensor, to read and to write. Throws c10::Error for another.
const float* in(const at::Tensor& t);
float* out(const at::Tensor& t);

/// A float32 tensor [B, H, T, E] as a backend takes it. Throws c10::Error unless the elements of a
/// head are neighbours.
Heads heads_of(const at::Tensor& x);

/// [B, H, T, E] in the layout of a linear's output: heads of one token side by side.
at::Tensor empty_heads(const Heads& like, const at::Tensor& x);

/// Causal attention and its gradients as OpSet has them, in the orders of docs/numerics.md,
/// "Portable". Nothing but the output is kept: the backward computes the probabilities again.
AttentionOutput attention(Backend& device, const at::Tensor& q_BHTE, const at::Tensor& k_BKTE,
                          const at::Tensor& v_BKTE, const AttentionLayout& layout);
AttentionGrads attention_backward(Backend& device, const at::Tensor& do_BHTE,
                                  const at::Tensor& q_BHTE, const at::Tensor& k_BKTE,
                                  const at::Tensor& v_BKTE, const AttentionOutput& saved,
                                  const AttentionLayout& layout);

/// One token a row against the cache, as OpSet has it: the bits of row `lengths[b]` - 1 of
/// attention().
at::Tensor cached_attention(Backend& device, const at::Tensor& q_BHE, const at::Tensor& k_BKCE,
                            const at::Tensor& v_BKCE, const VisiblePositions& visible);

}  // namespace twinrun::trainer::portable
