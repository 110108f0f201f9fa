#include "trainer/train/faults.h"

#include <gtest/gtest.h>

namespace twinrun::trainer {
namespace {

using Labels = std::vector<std::int64_t>;

TEST(Faults, ASettingIsWrongFromItsStepOn) {
  const Faults faults({"lr-0.1@3", "beta2@2"});
  EXPECT_EQ(faulty_lr_factor(faults, 2), 1.0);
  EXPECT_EQ(faulty_lr_factor(faults, 3), 1.001);
  EXPECT_EQ(faulty_lr_factor(faults, 9), 1.001);
  EXPECT_EQ(faulty_lr_factor(Faults({"lr@1"}), 2), 1.01);
  EXPECT_EQ(faulty_lr_factor(Faults({"lr-5@1"}), 2), 1.05);
  EXPECT_EQ(faulty_options(faults, 1, {}).beta2, 0.999);
  EXPECT_EQ(faulty_options(faults, 2, {}).beta2, 0.99);
}

// A fault that sets what the case has already would be none.
TEST(Faults, AWrongSettingIsAnotherThanTheCaseHas) {
  const Faults faults({"weight-decay@1", "beta2@1", "eps@1"});
  const AdamWOptions unusual = {.beta2 = 0.99, .eps = 1e-6, .weight_decay = 0.1};
  const auto changed = faulty_options(faults, 1, unusual);
  EXPECT_EQ(changed.weight_decay, 0);
  EXPECT_EQ(changed.beta2, 0.999);
  EXPECT_EQ(changed.eps, 1e-8);
  EXPECT_EQ(changed.beta1, unusual.beta1);
  const auto added = faulty_options(faults, 1, {});
  EXPECT_EQ(added.weight_decay, 0.01);
  EXPECT_EQ(added.eps, 1e-6);
}

const Sample kSample = {"a", {5, 6, 7, 8, 9}, {kIgnoreIndex, kIgnoreIndex, 7, 8, kIgnoreIndex}};

TEST(Faults, LossMaskLabelsTheTokenBefore) {
  const Faults faults({"loss-mask@2"});
  EXPECT_FALSE(changes_samples(faults, 1));
  ASSERT_TRUE(changes_samples(faults, 2));
  const auto changed = faulty_sample(faults, 2, kSample);
  EXPECT_EQ(changed.input_ids, kSample.input_ids);
  EXPECT_EQ(changed.labels, (Labels{kIgnoreIndex, 6, 7, kIgnoreIndex, kIgnoreIndex}));
  // Where all are labelled the last one is lost.
  const auto all = faulty_sample(faults, 2, {"b", {5, 6, 7}, {5, 6, 7}});
  EXPECT_EQ(all.labels, (Labels{5, 6, kIgnoreIndex}));
}

TEST(Faults, TokenizerLosesTheFirstToken) {
  const Faults faults({"tokenizer@1"});
  const auto changed = faulty_sample(faults, 1, kSample);
  EXPECT_EQ(changed.input_ids, (Labels{6, 7, 8, 9}));
  EXPECT_EQ(changed.labels, (Labels{kIgnoreIndex, 7, 8, kIgnoreIndex}));
  EXPECT_EQ(faulty_sample(faults, 1, {"c", {5, 6}, {5, 6}}).input_ids.size(), 2u);
}

}  // namespace
}  // namespace twinrun::trainer
