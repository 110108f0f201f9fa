#pragma once

#include <cstdint>
#include <string>

#include "trainer/data/schedule.h"
#include "trainer/lora/adapter.h"

namespace twinrun::trainer {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
};

/// AdamW over the adapter's flat buffers. Beta powers are running products of host doubles.
class AdamW {
 public:
  AdamW(const AdamWOptions& options, OpSet& ops, Adapter& adapter);
  /// What the steps from now on use; the running products of the betas go on.
  void set_options(const AdamWOptions& options);
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
  OpSet& ops_;
  Adapter& adapter_;
  double lr_ = 0;
  BetaPowers beta1_powers_, beta2_powers_;
};

}  // namespace twinrun::trainer
