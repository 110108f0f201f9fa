#include "trainer/train/optimizer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/trainer/tiny_model.h"
#include "trainer/ops/portable/portable_ops.h"
#include "trainer/ops/torch/torch_ops.h"

namespace twinrun::trainer {
namespace {

/// The op set of each numerics mode.
class StepOps : public testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<OpSet> ops_ = GetParam() ? make_portable_ops(Isa::kAuto) : make_torch_ops();
};
INSTANTIATE_TEST_SUITE_P(Modes, StepOps, testing::Bool(), [](const auto& mode) {
  return std::string(mode.param ? "Portable" : "Torch");
});

TEST_P(StepOps, AdamWFollowsThePaperInDoublePrecision) {
  const AdamWOptions options{.beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = 0.1};
  Adapter adapter(tiny_config(), tiny_lora(), at::kCPU, at::kFloat);
  adapter.init(11, at::kFloat);
  AdamW optimizer(options, *ops_, adapter);
  double w = adapter.params()[0].item<double>(), m = 0, v = 0;
  for (int t = 1; t <= 20; ++t) {
    const double g = std::sin(t) + 0.3, lr = 0.01 * t;
    adapter.grads_flat().fill_(g);
    optimizer.set_lr(lr);
    optimizer.step();
    m = options.beta1 * m + (1 - options.beta1) * g;
    v = options.beta2 * v + (1 - options.beta2) * g * g;
    w -= lr * options.weight_decay * w;
    w -= lr * (m / (1 - std::pow(options.beta1, t))) /
         (std::sqrt(v / (1 - std::pow(options.beta2, t))) + options.eps);
    ASSERT_NEAR(adapter.params()[0].item<double>(), w, 1e-5 * std::abs(w) + 1e-6) << "step " << t;
  }
}

TEST_P(StepOps, OptionsMayChangeBetweenStepsAndTheBetaPowersGoOn) {
  Adapter adapter(tiny_config(), tiny_lora(), at::kCPU, at::kFloat);
  adapter.init(11, at::kFloat);
  AdamW optimizer({.beta1 = 0.5, .beta2 = 0.75}, *ops_, adapter);
  adapter.grads_flat().fill_(1);
  optimizer.step();
  optimizer.set_options({.beta1 = 0.5, .beta2 = 0.25});
  optimizer.step();
  EXPECT_EQ(optimizer.beta1_power(), 0.25);
  EXPECT_EQ(optimizer.beta2_power(), 0.75 * 0.25);
  EXPECT_FLOAT_EQ(adapter.exp_avg_sq()[0].item<float>(), 0.25 * 0.25 + 0.75);
}

TEST_P(StepOps, GradNormHoldsSevenDigitsOverMillionsOfElements) {
  at::manual_seed(5);
  const auto grads = at::randn({3000000}) * 1e-3;
  const auto exact = grads.to(at::kDouble).square().sum().sqrt().item<double>();
  EXPECT_NEAR(ops_->grad_norm(grads).item<double>() / exact, 1, 1e-7);
}

TEST_P(StepOps, ClippingScalesOnlyAboveTheLimit) {
  auto grads = at::tensor({3.0F, 4.0F});
  const auto norm = ops_->grad_norm(grads);
  EXPECT_FLOAT_EQ(norm.item<float>(), 5);
  ops_->clip_grads(grads, norm, 10);
  EXPECT_TRUE(at::equal(grads, at::tensor({3.0F, 4.0F})));
  ops_->clip_grads(grads, norm, 1);
  EXPECT_NEAR(ops_->grad_norm(grads).item<double>(), 1, 1e-6);
}

TEST_P(StepOps, ClippingNanStaysNan) {
  auto grads = at::tensor({3.0F, std::nanf("")});
  ops_->clip_grads(grads, ops_->grad_norm(grads), 1);
  EXPECT_TRUE(grads.isnan().all().item<bool>());
}

}  // namespace
}  // namespace twinrun::trainer
