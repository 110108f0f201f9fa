#pragma once

#include "trainer/ops/portable/unary.h"

// The element formulas of the portable op set: one source for every CPU path and for CUDA, each
// rounding written out (docs/numerics.md, "Portable"). Compiled without contraction, so that a
// product that is not an argument of fma_rn is rounded.

namespace twinrun::trainer::portable {

/// a * b + c, rounded once.
TWINRUN_HOST_DEVICE static inline float fmaf_rn(float a, float b, float c) {
#if defined(__CUDA_ARCH__)
  return __fmaf_rn(a, b, c);
#else
  return __builtin_fmaf(a, b, c);
#endif
}

TWINRUN_HOST_DEVICE static inline float sqrtf_rn(float x) {
#if defined(__CUDA_ARCH__)
  return __fsqrt_rn(x);
#else
  return __builtin_sqrtf(x);
#endif
}

/// 1 / (1 + exp(-x)), with x exp, sum and quotient each rounded.
TWINRUN_HOST_DEVICE static inline float sigmoid(float x) {
  return 1.0F / (1.0F + portable_exp(-x));
}

TWINRUN_HOST_DEVICE static inline float swiglu_element(float gate, float up) {
  return (gate * sigmoid(gate)) * up;
}

struct SwigluGrads {
  float gate, up;
};

/// silu'(g) = s (1 + g (1 - s)).
TWINRUN_HOST_DEVICE static inline SwigluGrads swiglu_grads(float dy, float gate, float up) {
  const float s = sigmoid(gate);
  const float slope = s * fmaf_rn(gate, 1.0F - s, 1.0F);
  return {(dy * up) * slope, dy * (gate * s)};
}

struct RopePair {
  float first, second;
};

/// (x1, x2) turned by the angle of (cos, sin); by the opposite one with -sin.
TWINRUN_HOST_DEVICE static inline RopePair rope_pair(float x1, float x2, float cos, float sin) {
  return {fmaf_rn(-x2, sin, x1 * cos), fmaf_rn(x1, sin, x2 * cos)};
}

TWINRUN_HOST_DEVICE static inline float rms_norm_element(float x, float rstd, float weight) {
  return (x * rstd) * weight;
}

/// `mean` is that of (dy w)(x rstd) over the row.
TWINRUN_HOST_DEVICE static inline float rms_norm_grad(float dy, float x, float rstd, float weight,
                                                      float mean) {
  return fmaf_rn(-(x * rstd), mean, dy * weight) * rstd;
}

TWINRUN_HOST_DEVICE static inline float softmax_backward_element(float p, float dp, float delta,
                                                                 float scale) {
  return (p * (dp - delta)) * scale;
}

/// Gradient of a logit: (exp(z - max) / sum - [label]) grad_scale.
TWINRUN_HOST_DEVICE static inline float cross_entropy_grad(float z, float max, float sum,
                                                           bool label, float grad_scale) {
  const float p = portable_exp(z - max) / sum;
  return (label ? p - 1.0F : p) * grad_scale;
}

/// The factor of torch.nn.utils.clip_grad_norm_: min(1, max_norm / (norm + 1e-6)); NaN stays.
TWINRUN_HOST_DEVICE static inline float clip_factor(float norm, float max_norm) {
  const float factor = max_norm / (norm + 1e-6F);
  return factor > 1.0F ? 1.0F : factor;
}

/// Scalars of an AdamW step, rounded once from host doubles.
struct AdamWScalars {
  float decay = 1;  ///< 1 - lr weight_decay
  float one_minus_beta1 = 0, beta2 = 0, one_minus_beta2 = 0;
  float sqrt_correction2 = 1;  ///< sqrt(1 - beta2^t)
  float eps = 0;
  float minus_step = 0;  ///< -lr / (1 - beta1^t)
};

/// One element of AdamW: Loshchilov and Hutter, arXiv:1711.05101, with torch's order of operations.
TWINRUN_HOST_DEVICE static inline void adamw_element(const AdamWScalars& s, float grad,
                                                     float& param, float& exp_avg,
                                                     float& exp_avg_sq) {
  exp_avg = fmaf_rn(grad - exp_avg, s.one_minus_beta1, exp_avg);
  exp_avg_sq = fmaf_rn(s.one_minus_beta2 * grad, grad, s.beta2 * exp_avg_sq);
  const float denominator = sqrtf_rn(exp_avg_sq) / s.sqrt_correction2 + s.eps;
  param = fmaf_rn(exp_avg / denominator, s.minus_step, param * s.decay);
}

}  // namespace twinrun::trainer::portable
