#include "trainer/model/llama.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/trainer/tiny_model.h"
#include "trainer/ops/portable/portable_ops.h"
#include "trainer/ops/torch/torch_ops.h"

namespace twinrun::trainer {
namespace {

class LlamaTest : public testing::TestWithParam<bool> {
 protected:
  LlamaTest()
      : adapter_(tiny_config(), tiny_lora(), at::kCPU, at::kFloat),
        model_(tiny_config(), random_llama(tiny_config(), 5, at::kFloat, at::kCPU), *ops_,
               &adapter_) {
    at::manual_seed(3);
    adapter_.init(1, at::kFloat);
    // B must not be zero, or A would have no gradient.
    for (auto& [name, tensor] : adapter_.named_params()) {
      if (name.find("lora_B") != std::string::npos) tensor.copy_(at::randn(tensor.sizes()) * 0.1);
    }
    batch_.rows = 3;
    batch_.length = 10;
    batch_.ids_N = at::randint(0, 61, {30}, at::kLong);
    batch_.positions_L = at::tensor({0, 4, 8, 13, 29 - 1}, at::kLong);
    batch_.targets_L = at::randint(0, 61, {5}, at::kLong);
  }

  double loss(const DropoutKey& key = {}) {
    adapter_.micro_grads_flat().zero_();
    const auto sum = model_.forward_backward(batch_, 1.0, key).item<double>();
    adapter_.grads_flat().copy_(adapter_.micro_grads_flat());
    return sum;
  }

  std::unique_ptr<OpSet> ops_ = GetParam() ? make_portable_ops(Isa::kAuto) : make_torch_ops();
  Adapter adapter_;
  Llama model_;
  DeviceBatch batch_;
};

INSTANTIATE_TEST_SUITE_P(Ops, LlamaTest, testing::Bool(), [](const auto& mode) {
  return std::string(mode.param ? "Portable" : "Torch");
});

TEST_P(LlamaTest, GradientIsTheSlopeOfTheLoss) {
  for (const DropoutKey& key : {DropoutKey{}, DropoutKey{.seed = 9, .step = 2, .p = 0.2}}) {
    loss(key);
    for (const auto& [name, grad] : adapter_.named_grads()) {
      EXPECT_GT(grad.abs().max().item<float>(), 0) << name;
    }
    // Along the gradient itself the slope is its squared norm; central difference in float32.
    const auto direction = adapter_.grads_flat() / adapter_.grads_flat().norm();
    const auto slope = adapter_.grads_flat().norm().item<double>();
    const double h = 1e-2;
    adapter_.params().add_(direction, h);
    const auto up = loss(key);
    adapter_.params().add_(direction, -2 * h);
    const auto down = loss(key);
    adapter_.params().add_(direction, h);
    EXPECT_NEAR((up - down) / (2 * h) / slope, 1, 2e-3);
  }
}

TEST_P(LlamaTest, LossIsTheCrossEntropyOfTheLogits) {
  const auto logits = model_.logits(batch_.ids_N.view({3, 10})).view({30, 61});
  const auto expected = -at::log_softmax(logits.index_select(0, batch_.positions_L), -1)
                             .gather(1, batch_.targets_L.unsqueeze(1))
                             .sum();
  EXPECT_NEAR(loss(), expected.item<double>(), 1e-4);
}

TEST_P(LlamaTest, PaddingOnTheRightChangesNoLoss) {
  const auto before = loss();
  auto padded = at::cat({batch_.ids_N.view({3, 10}), at::full({3, 5}, 7, at::kLong)}, 1);
  batch_.ids_N = padded.reshape(-1);
  batch_.length = 15;
  batch_.positions_L = batch_.positions_L + at::tensor({0, 0, 0, 5, 10}, at::kLong);
  EXPECT_NEAR(loss(), before, 1e-5);
}

TEST_P(LlamaTest, AdapterWithZeroBIsTheBaseModel) {
  adapter_.init(1, at::kFloat);
  const auto ids = batch_.ids_N.view({3, 10});
  Llama base(tiny_config(), random_llama(tiny_config(), 5, at::kFloat, at::kCPU), *ops_, nullptr);
  EXPECT_TRUE(at::equal(model_.logits(ids), base.logits(ids)));
}

TEST_P(LlamaTest, FrozenWeightsStay) {
  const auto before = model_.weights().layers[1].linears[3].clone();
  loss();
  EXPECT_TRUE(at::equal(before, model_.weights().layers[1].linears[3]));
}

}  // namespace
}  // namespace twinrun::trainer
