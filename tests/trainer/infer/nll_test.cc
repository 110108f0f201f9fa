#include "trainer/infer/nll.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/temp_folder.h"
#include "tests/trainer/tiny_model.h"
#include "trainer/ops/portable/portable_ops.h"
#include "trainer/ops/torch/torch_ops.h"

namespace twinrun::trainer {
namespace {

constexpr std::int64_t kPad = 60, kIgnored = kIgnoreIndex;

class Nll : public testing::TestWithParam<bool> {
 protected:
  std::vector<double> run(std::span<const Sample> samples, std::int64_t batch_size) {
    return negative_log_likelihoods(model_, samples, batch_size, kPad, at::kCPU);
  }

  const c10::InferenceMode inference_;
  std::unique_ptr<OpSet> ops_ = GetParam() ? make_portable_ops(Isa::kAuto) : make_torch_ops();
  Llama model_{tiny_config(), random_llama(tiny_config(), 5, at::kFloat, at::kCPU), *ops_, nullptr};
  // Of the first sample's labels one is never used; those of the second do not follow each other.
  const std::vector<Sample> samples_ = {{"a", {1, 2, 3}, {1, 2, 3}},
                                        {"b", {4, 5, 6, 7, 8}, {kIgnored, 5, kIgnored, 7, 8}},
                                        {"c", {9, 10}, {kIgnored, 10}}};
};

INSTANTIATE_TEST_SUITE_P(Ops, Nll, testing::Bool(), [](const auto& mode) {
  return std::string(mode.param ? "Portable" : "Torch");
});

TEST_P(Nll, IsTheSumOverTheLabelledTokens) {
  const auto found = run(samples_, 4);
  ASSERT_EQ(found.size(), 3u);
  for (std::size_t row = 0; row < samples_.size(); ++row) {
    const auto& [id, ids, labels] = samples_[row];
    const auto logits = model_.logits(at::tensor(ids).unsqueeze(0))[0].to(at::kDouble);
    double sum = 0;
    for (std::size_t t = 1; t < ids.size(); ++t) {
      if (labels[t] == kIgnored) continue;
      sum -= at::log_softmax(logits[static_cast<std::int64_t>(t) - 1], 0)[labels[t]].item<double>();
    }
    EXPECT_NEAR(found[row], sum, 1e-5 * sum) << row;
  }
}

// Also the one batch that is not full: a row's value hangs on its own batch alone.
TEST_P(Nll, CopiesFillABatchAndCountForNothing) {
  const auto two = run(std::span(samples_).first(2), 4);
  const std::vector<Sample> filled = {samples_[0], samples_[1], samples_[1], samples_[1]};
  const auto four = run(filled, 4);
  EXPECT_EQ(two, (std::vector<double>{four[0], four[1]}));
}

TEST_P(Nll, MoreLabelsThanAreComputedAtOnce) {
  Sample longest{"long", std::vector<std::int64_t>(300), {}};
  std::iota(longest.input_ids.begin(), longest.input_ids.end(), 0);
  for (auto& id : longest.input_ids) id %= 61;
  longest.labels = longest.input_ids;
  const std::vector<Sample> one = {longest};
  const auto whole = run(one, 1)[0];
  auto front = one, back = one;
  std::fill(front[0].labels.begin() + 280, front[0].labels.end(), kIgnored);
  std::fill(back[0].labels.begin(), back[0].labels.begin() + 280, kIgnored);
  EXPECT_NEAR(whole, run(front, 1)[0] + run(back, 1)[0], 1e-9 * whole);
}

TEST_P(Nll, WhatIsNotFiniteIsNoLoss) {
  auto weights = random_llama(tiny_config(), 5, at::kFloat, at::kCPU);
  weights.norm.fill_(std::numeric_limits<float>::quiet_NaN());
  Llama broken(tiny_config(), std::move(weights), *ops_, nullptr);
  const auto says = test::message_of<std::runtime_error>(
      [&] { negative_log_likelihoods(broken, samples_, 4, kPad, at::kCPU); });
  EXPECT_THAT(says, testing::HasSubstr("row 0: the log-probability of a labelled token is not"));
}

}  // namespace
}  // namespace twinrun::trainer
