#include "trainer/train/micro_batch_sum.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "trainer/ops/portable/portable_ops.h"

namespace twinrun::trainer {
namespace {

class MicroBatchSumTest : public testing::Test {
 protected:
  void SetUp() override {
    at::manual_seed(4);
    // Of very different size, so that another order of addition shows.
    for (int i = 0; i < 5; ++i) parts_.push_back(at::randn({1000}) * std::pow(10.0, i % 3));
  }

  at::Tensor sum_in(const std::vector<std::int64_t>& order) {
    MicroBatchSum sum(*ops_, at::full({1000}, 77.0F));
    for (const auto index : order) sum.add(index, parts_[static_cast<std::size_t>(index)]);
    return sum.finish(5);
  }

  std::unique_ptr<OpSet> ops_ = make_portable_ops(Isa::kAuto);
  std::vector<at::Tensor> parts_;
};

TEST_F(MicroBatchSumTest, EveryOrderOfArrivalGivesTheBitsOfTheAscendingSum) {
  const auto expected = parts_[0] + parts_[1] + parts_[2] + parts_[3] + parts_[4];
  std::vector<std::int64_t> order(5);
  std::iota(order.begin(), order.end(), 0);
  int orders = 0;
  do {
    ASSERT_TRUE(at::equal(sum_in(order), expected));
    ++orders;
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(orders, 120);
  // That the test could see another order:
  EXPECT_FALSE(at::equal(parts_[4] + parts_[3] + parts_[2] + parts_[1] + parts_[0], expected));
}

TEST_F(MicroBatchSumTest, AMissingPartIsNoSum) {
  MicroBatchSum sum(*ops_, at::zeros({1000}));
  sum.add(0, parts_[0]);
  sum.add(2, parts_[2]);
  EXPECT_THROW(sum.finish(2), c10::Error);
  EXPECT_THROW(sum.finish(3), c10::Error);
  sum.add(1, parts_[1]);
  EXPECT_NO_THROW(sum.finish(3));
  EXPECT_THROW(sum.finish(2), c10::Error);
}

TEST_F(MicroBatchSumTest, APartThatComesTwiceIsRefused) {
  MicroBatchSum sum(*ops_, at::zeros({1000}));
  sum.add(0, parts_[0]);
  EXPECT_THROW(sum.add(0, parts_[0]), c10::Error);
  sum.add(2, parts_[2]);
  EXPECT_THROW(sum.add(2, parts_[2]), c10::Error);
}

TEST_F(MicroBatchSumTest, OnePartKeepsItsBitsAlsoMinusZero) {
  MicroBatchSum sum(*ops_, at::ones({2}));
  sum.add(0, at::tensor({-0.0F, 1.5F}));
  EXPECT_TRUE(std::signbit(sum.finish(1)[0].item<float>()));
}

}  // namespace
}  // namespace twinrun::trainer
