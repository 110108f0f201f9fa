#pragma once

#include <cstdint>
#include <string>

#include "trainer/data/schedule.h"
#include "trainer/lora/adapter.h"

namespace twinrun::trainer {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
};

/// AdamW as torch.optim.AdamW computes it, over the adapter's flat buffers.
/// Loshchilov and Hutter, arXiv:1711.05101. Beta powers are running products of host doubles.
class AdamW {
 public:
  AdamW(const AdamWOptions& options, Adapter& adapter);
  /// The learning rate of the next step(); lr() is what that step uses.
  void set_lr(double lr) { lr_ = lr; }
  double lr() const { return lr_; }
  void step();

  /// The running products, of which every further step follows; restore() goes on behind them.
  double beta1_power() const { return beta1_powers_.power(); }
  double beta2_power() const { return beta2_powers_.power(); }
  void restore(double beta1_power, double beta2_power) {
    beta1_powers_.restore(beta1_power);
    beta2_powers_.restore(beta2_power);
  }

 private:
  AdamWOptions options_;
  Adapter& adapter_;
  double lr_ = 0;
  BetaPowers beta1_powers_, beta2_powers_;
};

/// L2 norm of all gradients, summed in double, rounded to float32, on the device.
at::Tensor grad_norm(const at::Tensor& grads_flat);

/// torch.nn.utils.clip_grad_norm_: grads x min(1, max_norm / (norm + 1e-6)), without a host round
/// trip.
void clip_grads(at::Tensor& grads_flat, const at::Tensor& norm, double max_norm);

}  // namespace twinrun::trainer
