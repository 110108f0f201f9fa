#include "trainer/ops/dropout.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "trainer/data/philox.h"

namespace twinrun::trainer {
namespace {

const DropoutKey kKey{.seed = 0x1f2e3d4c5b6aULL,
                      .layer = 29,
                      .module = LinearModule::kDownProj,
                      .step = 7,
                      .micro_batch = 3,
                      .p = 0.25};

/// The mask by the definition of docs/numerics.md, one call of philox4x32 for four elements.
bool keeps(const DropoutKey& key, std::int64_t element) {
  const std::array<std::uint32_t, 4> counter{1U | 6U << 8 | key.layer << 12,
                                             static_cast<std::uint32_t>(element / 4), key.step,
                                             key.micro_batch};
  const auto threshold = static_cast<std::uint32_t>(std::llround(key.p * 4294967296.0));
  return philox4x32(counter, philox_key(key.seed))[static_cast<std::size_t>(element % 4)] >=
         threshold;
}

TEST(Dropout, FollowsTheDefinitionElementByElementAlsoAtTheTail) {
  for (const std::int64_t numel : {1, 5, 63, 64, 65, 1000, 70001}) {
    const auto y = dropout(at::full({numel}, 3.0F), kKey);
    for (std::int64_t i = 0; i < numel; ++i) {
      ASSERT_EQ(y[i].item<float>(), keeps(kKey, i) ? 3.0F * static_cast<float>(1 / 0.75) : 0.0F)
          << "element " << i << " of " << numel;
    }
  }
}

TEST(Dropout, EveryPartOfTheKeyChangesTheMask) {
  const auto x = at::ones({4096});
  const auto base = dropout(x, kKey);
  for (auto change : {0, 1, 2, 3, 4}) {
    auto key = kKey;
    if (change == 0) key.seed += 1;
    if (change == 1) key.layer += 1;
    if (change == 2) key.module = LinearModule::kUpProj;
    if (change == 3) key.step += 1;
    if (change == 4) key.micro_batch += 1;
    EXPECT_FALSE(at::equal(dropout(x, key), base)) << "part " << change;
  }
}

TEST(Dropout, AddUsesTheSameMask) {
  const auto x = at::randn({777});
  auto y = at::full({777}, 2.0F);
  dropout_add_(y, x, kKey);
  EXPECT_TRUE(at::equal(y, at::full({777}, 2.0F) + dropout(x, kKey)));
}

TEST(Dropout, BFloat16KeepsTheSameElements) {
  const auto x = at::ones({1001});
  EXPECT_TRUE(at::equal(dropout(x.to(at::kBFloat16), kKey).ne(0), dropout(x, kKey).ne(0)));
}

TEST(Dropout, KeepsTheStatedShare) {
  // 1,000,000 draws of keep probability 0.75: six standard deviations are 0.0026.
  EXPECT_NEAR(dropout(at::ones({1000000}), kKey).ne(0).to(at::kFloat).mean().item<double>(), 0.75,
              0.0026);
}

TEST(Dropout, RefusesProbabilitiesOutsideTheOpenInterval) {
  for (const double p : {0.0, 1.0, -0.1, std::nan("")}) {
    auto key = kKey;
    key.p = p;
    EXPECT_THROW(dropout(at::ones({4}), key), c10::Error) << p;
  }
}

}  // namespace
}  // namespace twinrun::trainer
