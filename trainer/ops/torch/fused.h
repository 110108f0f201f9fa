#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

#include "trainer/ops/op_set.h"

namespace twinrun::trainer::fused {

// Chains of element-wise operations of a step, one kernel each, for tensors on a GPU: what the same
// operations of ATen do one after the other, through memory. Rounded to the compute dtype (float32
// or bfloat16) where those round, float32 inside; sums over a row in one order, that of the
// kernel's tree. Shapes as in op_set.h; tensors are contiguous where not said otherwise. Throws
// c10::Error on other dtypes and layouts.

NormOutput rms_norm(const at::Tensor& x_ND, const at::Tensor& weight_D, double eps);
/// `residual_ND` + the gradient, which is rounded first; undefined: the gradient alone.
at::Tensor rms_norm_backward(const at::Tensor& dy_ND, const at::Tensor& x_ND,
                             const at::Tensor& rstd_N1, const at::Tensor& weight_D,
                             const at::Tensor& residual_ND);

/// x by any strides but that of E; the result lies in memory as [B, T, H, E].
at::Tensor rope(const at::Tensor& x_BHTE, const at::Tensor& cos_TE, const at::Tensor& sin_TE,
                bool backward);

at::Tensor swiglu(const at::Tensor& gate_NI, const at::Tensor& up_NI);
std::pair<at::Tensor, at::Tensor> swiglu_backward(const at::Tensor& dy_NI,
                                                  const at::Tensor& gate_NI,
                                                  const at::Tensor& up_NI);

/// losses_L = the negative log-likelihoods of `labels_L`, float32; the logits become their
/// gradient times `grad_scale`, rounded once.
void cross_entropy_(at::Tensor logits_LV, const at::Tensor& labels_L, double grad_scale,
                    at::Tensor losses_L);

}  // namespace twinrun::trainer::fused
