#include "trainer/train/optimizer.h"

#include <ATen/ATen.h>

#include <cmath>

namespace twinrun::trainer {

AdamW::AdamW(const AdamWOptions& options, Adapter& adapter)
    : options_(options),
      adapter_(adapter),
      beta1_powers_(options.beta1),
      beta2_powers_(options.beta2) {}

void AdamW::step() {
  const auto correction1 = 1 - beta1_powers_.next(), correction2 = 1 - beta2_powers_.next();
  const auto& grads = adapter_.grads_flat();
  if (options_.weight_decay != 0) adapter_.params().mul_(1 - lr_ * options_.weight_decay);
  adapter_.exp_avg().lerp_(grads, 1 - options_.beta1);
  adapter_.exp_avg_sq().mul_(options_.beta2).addcmul_(grads, grads, 1 - options_.beta2);
  auto denominator = adapter_.exp_avg_sq().sqrt();
  denominator.div_(std::sqrt(correction2)).add_(options_.eps);
  adapter_.params().addcdiv_(adapter_.exp_avg(), denominator, -lr_ / correction1);
  adapter_.refresh();
}

at::Tensor grad_norm(const at::Tensor& grads_flat) {
  // In double: one float32 sum over millions of squares was seen to lose 4 digits on a CPU.
  return at::linalg_vector_norm(grads_flat, 2, at::OptionalIntArrayRef(), /*keepdim=*/false,
                                at::kDouble)
      .to(at::kFloat);
}

void clip_grads(at::Tensor& grads_flat, const at::Tensor& norm, double max_norm) {
  grads_flat.mul_(norm.add(1e-6).reciprocal_().mul_(max_norm).clamp_max_(1.0));
}

}  // namespace twinrun::trainer
