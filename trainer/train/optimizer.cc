#include "trainer/train/optimizer.h"

namespace twinrun::trainer {

AdamW::AdamW(const AdamWOptions& options, OpSet& ops, Adapter& adapter)
    : options_(options),
      ops_(ops),
      adapter_(adapter),
      beta1_powers_(options.beta1),
      beta2_powers_(options.beta2) {}

void AdamW::set_options(const AdamWOptions& options) {
  options_ = options;
  const double power1 = beta1_power(), power2 = beta2_power();
  beta1_powers_ = BetaPowers(options.beta1);
  beta2_powers_ = BetaPowers(options.beta2);
  restore(power1, power2);
}

void AdamW::step() {
  ops_.adamw({.lr = lr_,
              .beta1 = options_.beta1,
              .beta2 = options_.beta2,
              .eps = options_.eps,
              .weight_decay = options_.weight_decay,
              .correction1 = 1 - beta1_powers_.next(),
              .correction2 = 1 - beta2_powers_.next()},
             adapter_.grads_flat(), adapter_.params(), adapter_.exp_avg(), adapter_.exp_avg_sq());
  adapter_.refresh();
}

}  // namespace twinrun::trainer
