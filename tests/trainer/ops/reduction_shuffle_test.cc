// Rounding noise that a run asks for: launch.shuffle_reductions.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/trainer/ops/each_op_set.h"
#include "trainer/numerics/numerics.h"

namespace twinrun::trainer {
namespace {

/// What a linear with LoRA computes, forward and backward.
struct Products {
  at::Tensor y_NO, dx_NI, da_RI, db_OR;

  bool operator==(const Products& other) const {
    return y_NO.equal(other.y_NO) && dx_NI.equal(other.dx_NI) && da_RI.equal(other.da_RI) &&
           db_OR.equal(other.db_OR);
  }
};

struct Operands {
  at::Tensor x_NI, weight_OI, a_RI, b_OR, dy_NO;
};

constexpr std::int64_t kTokens = 40, kInputs = 96, kOutputs = 32, kRank = 8;

Operands drawn() {
  at::manual_seed(1);
  return {at::randn({kTokens, kInputs}), at::randn({kOutputs, kInputs}),
          at::randn({kRank, kInputs}), at::randn({kOutputs, kRank}),
          at::randn({kTokens, kOutputs})};
}

Products products(OpSet& ops, const Operands& in) {
  const LoraWeights lora{in.a_RI, in.b_OR, 1};
  LoraSaved saved;
  Products out;
  out.y_NO = ops.lora_linear(in.x_NI, in.weight_OI, &lora, {}, &saved);
  out.da_RI = at::zeros_like(in.a_RI);
  out.db_OR = at::zeros_like(in.b_OR);
  const LoraGrads grads{out.da_RI, out.db_OR};
  out.dx_NI = ops.lora_linear_backward(in.dy_NO, in.weight_OI, &lora, saved, &grads, {}, true);
  return out;
}

Products shuffled(std::uint64_t seed, std::int64_t step, const Operands& in) {
  const auto ops = make_torch_ops(GpuSums::kLibrary, seed);
  ops->begin_step(step);
  return products(*ops, in);
}

TEST(ReductionShuffle, WithoutItProductsAreThoseOfATen) {
  const auto in = drawn();
  const auto ours = products(*make_torch_ops(), in);
  const auto h = at::mm(in.x_NI, in.a_RI.t());
  EXPECT_TRUE(ours.y_NO.equal(at::mm(in.x_NI, in.weight_OI.t()).addmm_(h, in.b_OR.t())));
  EXPECT_TRUE(ours.db_OR.equal(at::zeros_like(in.b_OR).addmm_(in.dy_NO.t(), h)));
}

TEST(ReductionShuffle, EveryProductIsRoundedOtherwiseAndNoneByMuch) {
  const auto in = drawn();
  const auto plain = products(*make_torch_ops(), in), noisy = shuffled(7, 1, in);
  for (const auto part : {&Products::y_NO, &Products::dx_NI, &Products::da_RI, &Products::db_OR}) {
    EXPECT_FALSE((noisy.*part).equal(plain.*part));
    EXPECT_TRUE(close(noisy.*part, plain.*part));
  }
}

// Whole numbers are summed without rounding: any order of the same terms gives the same bits.
TEST(ReductionShuffle, SumsTheSameTerms) {
  auto in = drawn();
  for (auto* operand : {&in.x_NI, &in.weight_OI, &in.a_RI, &in.b_OR, &in.dy_NO}) {
    operand->mul_(2).round_();
  }
  EXPECT_EQ(shuffled(7, 1, in), products(*make_torch_ops(), in));
}

TEST(ReductionShuffle, OrdersFollowFromSeedAndStep) {
  const auto in = drawn();
  const auto first = shuffled(7, 1, in);
  EXPECT_EQ(shuffled(7, 1, in), first);
  EXPECT_FALSE(shuffled(7, 2, in) == first);
  EXPECT_FALSE(shuffled(8, 1, in) == first);
  const auto ops = make_torch_ops(GpuSums::kLibrary, 7);
  ops->begin_step(1);
  EXPECT_EQ(products(*ops, in), first);
  EXPECT_FALSE(products(*ops, in) == first);  // the next products of the step
  ops->begin_step(1);
  EXPECT_EQ(products(*ops, in), first);
}

TEST(ReductionShuffle, TheLossIsRoundedOtherwise) {
  at::manual_seed(1);
  const auto x = at::randn({24, kInputs}), weight = at::randn({61, kInputs});
  const auto labels = at::randint(61, {24}, at::kLong);
  const auto plain = make_torch_ops()->linear_cross_entropy(x, weight, labels, 1);
  const auto noisy =
      make_torch_ops(GpuSums::kLibrary, 7)->linear_cross_entropy(x, weight, labels, 1);
  EXPECT_FALSE(noisy.dx_LD.equal(plain.dx_LD));
  EXPECT_TRUE(close(noisy.dx_LD, plain.dx_LD));
  EXPECT_TRUE(close(noisy.loss_sum, plain.loss_sum));
}

// What was measured with the noise must not judge runs without it.
TEST(ReductionShuffle, HasAnArithmeticOfItsOwn) {
  NumericsOptions options{.mode = "fast", .dtype = "float32", .device = "cpu", .isa = "auto"};
  const auto plain = arithmetic_id(options);
  options.shuffle_reductions = 7;
  EXPECT_EQ(arithmetic_id(options), plain + "-shuffled");
}

}  // namespace
}  // namespace twinrun::trainer
