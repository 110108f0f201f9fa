#include "trainer/model/llama.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/trainer/tiny_model.h"
#include "trainer/ops/portable/portable_ops.h"
#include "trainer/ops/torch/torch_ops.h"

namespace twinrun::trainer {
namespace {

/// Whether portable, and the sliding window; 0: none.
struct LlamaCase {
  bool portable = false;
  std::int64_t window = 0;
};

/// Larger than at a usual start, so that attention shows in the loss.
LlamaWeights larger_weights() {
  auto weights = random_llama(tiny_config(), 5, at::kFloat, at::kCPU);
  for (auto& layer : weights.layers) {
    for (auto& linear : layer.linears) linear.mul_(8);
  }
  return weights;
}

class LlamaTest : public testing::TestWithParam<LlamaCase> {
 protected:
  LlamaTest()
      : adapter_(tiny_config(), tiny_lora(), at::kCPU, at::kFloat),
        model_(tiny_config(GetParam().window), larger_weights(), *ops_, &adapter_) {
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

  double loss(const DropoutKey& key = {}) { return loss_of(batch_, key); }

  double loss_of(const DeviceBatch& batch, const DropoutKey& key = {}) {
    adapter_.micro_grads_flat().zero_();
    const auto sum = model_.forward_backward(batch, 1.0, key).item<double>();
    adapter_.grads_flat().copy_(adapter_.micro_grads_flat());
    return sum;
  }

  std::unique_ptr<OpSet> ops_ =
      GetParam().portable ? make_portable_ops(Isa::kAuto) : make_torch_ops();
  Adapter adapter_;
  Llama model_;
  DeviceBatch batch_;
};

INSTANTIATE_TEST_SUITE_P(Ops, LlamaTest,
                         testing::Values(LlamaCase{false, 0}, LlamaCase{true, 0},
                                         LlamaCase{false, 3}, LlamaCase{true, 3}),
                         [](const auto& mode) {
                           return std::string(mode.param.portable ? "Portable" : "Torch") +
                                  (mode.param.window > 0 ? "Window" : "");
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
    const double h = 4e-3;
    adapter_.params().add_(direction, h);
    const auto up = loss(key);
    adapter_.params().add_(direction, -2 * h);
    const auto down = loss(key);
    adapter_.params().add_(direction, h);
    EXPECT_NEAR((up - down) / (2 * h) / slope, 1, 2e-3);
  }
}

TEST_P(LlamaTest, ActivationCheckpointingChangesNoBit) {
  const DropoutKey key{.seed = 9, .step = 2, .p = 0.2};
  const auto expected = loss(key);
  const auto grads = adapter_.grads_flat().clone();
  Llama model(tiny_config(GetParam().window), larger_weights(), *ops_, &adapter_,
              /*activation_checkpointing=*/true);
  adapter_.micro_grads_flat().zero_();
  EXPECT_EQ(model.forward_backward(batch_, 1.0, key).item<double>(), expected);
  EXPECT_TRUE(at::equal(adapter_.micro_grads_flat(), grads));
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
  Llama base(tiny_config(GetParam().window), larger_weights(), *ops_, nullptr);
  EXPECT_TRUE(at::equal(model_.logits(ids), base.logits(ids)));
}

/// Samples of 4, 6, 7 and 3 positions in two rows of ten, and each in a row of its own.
TEST_P(LlamaTest, PackedSamplesAreTheSamplesAlone) {
  const std::vector<std::int64_t> lengths{4, 6, 7, 3};
  DeviceBatch packed;
  packed.rows = 2;
  packed.length = 10;
  packed.ids_N = batch_.ids_N.narrow(0, 0, 20);
  std::vector<at::Tensor> positions, targets;
  double expected = 0;
  auto expected_grads = at::zeros_like(adapter_.grads_flat());
  std::int64_t begin = 0;
  for (const auto length : lengths) {
    DeviceBatch alone;
    alone.rows = 1;
    alone.length = length;
    alone.ids_N = packed.ids_N.narrow(0, begin, length);
    alone.positions_L = at::arange(length - 1);
    alone.targets_L = alone.ids_N.narrow(0, 1, length - 1);
    expected += loss_of(alone);
    expected_grads.add_(adapter_.grads_flat());
    positions.push_back(alone.positions_L + begin);
    targets.push_back(alone.targets_L);
    packed.segments.push_back({begin, length});
    begin += length;
  }
  packed.positions_L = at::cat(positions);
  packed.targets_L = at::cat(targets);
  EXPECT_NEAR(loss_of(packed), expected, 1e-4);
  const auto difference = (adapter_.grads_flat() - expected_grads).norm().item<double>();
  EXPECT_LE(difference, 1e-5 * expected_grads.norm().item<double>());
  packed.segments.clear();
  EXPECT_GT(std::abs(loss_of(packed) - expected), 1e-2);
}

TEST_P(LlamaTest, FrozenWeightsStay) {
  const auto before = model_.weights().layers[1].linears[3].clone();
  loss();
  EXPECT_TRUE(at::equal(before, model_.weights().layers[1].linears[3]));
}

}  // namespace
}  // namespace twinrun::trainer
