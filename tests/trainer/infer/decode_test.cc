// Decoding with a cache against the whole prefix computed again.

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "tests/trainer/tiny_model.h"
#include "trainer/model/llama.h"
#include "trainer/ops/portable/portable_ops.h"
#include "trainer/ops/torch/torch_ops.h"

namespace twinrun::trainer {
namespace {

/// float32 of the vendor's kernels sums in another order with a cache than without: a few units in
/// the last place of values near 1 through two blocks.
constexpr double kTolerance = 2e-5;

/// Whether portable, and the sliding window; 0: none.
struct DecodeCase {
  bool portable = false;
  std::int64_t window = 0;
};

class DecodeTest : public testing::TestWithParam<DecodeCase> {
 protected:
  DecodeTest() {
    at::manual_seed(3);
    adapter_.init(1, at::kFloat);
    for (auto& [name, tensor] : adapter_.named_params()) {
      if (name.find("lora_B") != std::string::npos) tensor.copy_(at::randn(tensor.sizes()) * 0.1);
    }
  }

  /// Log-probabilities behind each of `ids`, [T, V].
  at::Tensor of_prefixes(const at::Tensor& ids_T) {
    return model_.log_probs(model_.hidden(ids_T.unsqueeze(0), nullptr));
  }

  /// Bit for bit in portable, where a cache changes no order; else within kTolerance.
  void expect_same(const at::Tensor& found, const at::Tensor& expected, const char* what) const {
    ASSERT_EQ(found.sizes(), expected.sizes());
    ASSERT_TRUE(expected.isfinite().all().item<bool>());
    if (GetParam().portable) {
      EXPECT_TRUE(at::equal(found.view(at::kInt), expected.view(at::kInt))) << what;
    } else {
      EXPECT_LE((found - expected).abs().max().item<double>(), kTolerance) << what;
    }
  }

  const c10::InferenceMode inference_;
  std::unique_ptr<OpSet> ops_ =
      GetParam().portable ? make_portable_ops(Isa::kAuto) : make_torch_ops();
  Adapter adapter_{tiny_config(), tiny_lora(), at::kCPU, at::kFloat};
  Llama model_{tiny_config(GetParam().window), random_llama(tiny_config(), 5, at::kFloat, at::kCPU),
               *ops_, &adapter_};
};

INSTANTIATE_TEST_SUITE_P(Ops, DecodeTest,
                         testing::Values(DecodeCase{false, 0}, DecodeCase{true, 0},
                                         DecodeCase{false, 4}, DecodeCase{true, 4}),
                         [](const auto& mode) {
                           return std::string(mode.param.portable ? "Portable" : "Torch") +
                                  (mode.param.window > 0 ? "Window" : "");
                         });

TEST_P(DecodeTest, IsTheWholePrefixComputedAgain) {
  // Rows of different lengths, padded on the right; each goes on with tokens of its own.
  const std::vector<std::int64_t> lengths{5, 1, 9};
  constexpr std::int64_t kSteps = 6;
  const auto all = at::randint(0, 61, {3, 9 + kSteps}, at::kLong);
  auto padded = at::full({3, 9}, 7, at::kLong);
  for (std::int64_t row = 0; row < 3; ++row) {
    const auto length = lengths[static_cast<std::size_t>(row)];
    padded[row].narrow(0, 0, length).copy_(all[row].narrow(0, 0, length));
  }
  auto cache = model_.make_cache(lengths, 9 + kSteps);
  model_.hidden(padded, &cache);
  for (std::int64_t step = 0; step < kSteps; ++step) {
    auto next = at::empty({3}, at::kLong);
    for (std::int64_t row = 0; row < 3; ++row) {
      next[row] = all[row][lengths[static_cast<std::size_t>(row)] + step];
    }
    const auto found = model_.log_probs(model_.decode(next, cache));
    for (std::int64_t row = 0; row < 3; ++row) {
      const auto length = lengths[static_cast<std::size_t>(row)] + step + 1;
      expect_same(found[row], of_prefixes(all[row].narrow(0, 0, length))[length - 1], "row");
    }
  }
}

TEST_P(DecodeTest, WhatStandsBehindARowDoesNotReachIt) {
  const auto ids = at::randint(0, 61, {1, 4}, at::kLong);
  const auto run = [&](std::int64_t padding, std::int64_t capacity) {
    auto padded = at::cat({ids, at::full({1, 5}, padding, at::kLong)}, 1);
    auto cache = model_.make_cache({4}, capacity);
    model_.hidden(padded, &cache);
    return model_.log_probs(model_.decode(at::tensor({11}, at::kLong), cache));
  };
  const auto expected = run(7, 9);
  // The same shapes: the same bits in every mode.
  EXPECT_TRUE(at::equal(run(13, 9), expected));
  EXPECT_TRUE(at::equal(run(7, 40), expected));
}

TEST_P(DecodeTest, ARowDoesNotDependOnItsNeighbours) {
  auto ids = at::randint(0, 61, {2, 6}, at::kLong);
  const auto run = [&] {
    auto cache = model_.make_cache({6, 6}, 8);
    model_.hidden(ids, &cache);
    return model_.log_probs(model_.decode(at::tensor({11, 12}, at::kLong), cache))[0].clone();
  };
  const auto expected = run();
  ids[1].fill_(3);
  EXPECT_TRUE(at::equal(run(), expected));
}

TEST(Decode, AWindowReachesTheAnswer) {
  const c10::InferenceMode inference;
  at::manual_seed(3);
  const auto ops = make_torch_ops();
  const auto ids = at::randint(0, 61, {1, 9}, at::kLong);
  const auto run = [&](std::int64_t window) {
    Llama model(tiny_config(window), random_llama(tiny_config(), 5, at::kFloat, at::kCPU), *ops,
                nullptr);
    auto cache = model.make_cache({9}, 10);
    model.hidden(ids, &cache);
    return model.log_probs(model.decode(at::tensor({11}, at::kLong), cache));
  };
  EXPECT_GT((run(4) - run(0)).abs().max().item<double>(), 100 * kTolerance);
  EXPECT_TRUE(at::equal(run(10), run(0)));
}

TEST_P(DecodeTest, RefusesMoreThanTheCacheHasRoomFor) {
  auto cache = model_.make_cache({2, 1}, 2);
  model_.hidden(at::zeros({2, 2}, at::kLong), &cache);
  EXPECT_THROW(model_.decode(at::zeros({2}, at::kLong), cache), c10::Error);
}

TEST_P(DecodeTest, LogSoftmaxOfLargeAndEqualLogits) {
  const auto logits = at::tensor({3e38F, 1e38F, -3e38F, -5.0F, -5.0F, -5.0F}, at::kFloat);
  const auto found = ops_->log_softmax(logits.view({2, 3}));
  EXPECT_EQ(found[0][0].item<float>(), 0);
  EXPECT_LE(found[0][1].item<float>(), -1e38F);
  EXPECT_NEAR(found[1][0].item<float>(), -std::log(3.0), 2e-7);
  EXPECT_LE(found.max().item<float>(), 0);
}

TEST_P(DecodeTest, LogSoftmaxLetsNothingThatIsNotFinitePass) {
  for (const float bad : {INFINITY, NAN}) {
    const auto logits = at::tensor({0.5F, bad, -1.0F}, at::kFloat).view({1, 3});
    EXPECT_FALSE(ops_->log_softmax(logits).isfinite().any().item<bool>()) << bad;
  }
  const auto found = ops_->log_softmax(at::tensor({0.5F, -INFINITY}, at::kFloat).view({1, 2}));
  EXPECT_EQ(found[0][1].item<float>(), -INFINITY);
}

/// exp, its sum and log in double; the float32 result has an error of a few units of each step.
TEST_P(DecodeTest, LogSoftmaxIsTheLogarithmOfTheShare) {
  const auto logits = at::randn({7, 4999}) * 4;
  const auto exact = at::log_softmax(logits.to(at::kDouble), -1);
  EXPECT_LE((ops_->log_softmax(logits) - exact).abs().max().item<double>(), 4e-6);
}

}  // namespace
}  // namespace twinrun::trainer
