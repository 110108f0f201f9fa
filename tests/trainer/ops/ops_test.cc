// Every forward and backward of the op set against autograd over the same formula written with
// elementary ATen functions. Float32: bounds are a small multiple of eps x sqrt(terms) of the sums.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/trainer/ops/each_op_set.h"
#include "trainer/ops/dropout.h"

namespace twinrun::trainer {
namespace {

using Ops = OpsTest;

INSTANTIATE_TEST_SUITE_P(Each, Ops, testing::ValuesIn(names_of_op_sets()),
                         [](const auto& mode) { return std::string(mode.param); });

at::Tensor plain_rms_norm(const at::Tensor& x, const at::Tensor& weight) {
  return x * (x.pow(2).mean(-1, true) + 1e-5).rsqrt() * weight;
}

TEST_P(Ops, RmsNormAndItsGradient) {
  const auto x = leaf({37, 96});
  const auto weight = at::randn({96}), dy = at::randn({37, 96});
  const auto y = plain_rms_norm(x, weight);
  y.backward(dy);
  const auto ours = ops_->rms_norm(x.detach(), weight, 1e-5);
  EXPECT_TRUE(close(ours.y_ND, y.detach()));
  EXPECT_TRUE(close(ops_->rms_norm_backward(dy, x.detach(), ours.rstd_N1, weight, {}), x.grad()));
}

void check_lora_linear(OpSet& ops, double p) {
  const auto x = leaf({40, 24}), a = leaf({4, 24}), b = leaf({32, 4});
  const auto weight = at::randn({32, 24}), dy = at::randn({40, 32});
  const DropoutKey key{.seed = 3, .p = p};
  const auto mask = p > 0 ? dropout(at::ones({40, 24}), key) : at::ones({40, 24});
  const auto y = at::mm(x, weight.t()) + at::mm(at::mm(x * mask, a.t()), b.t()) * 1.5;
  y.backward(dy);

  const LoraWeights lora{a.detach(), b.detach(), 1.5};
  LoraSaved saved;
  EXPECT_TRUE(close(ops.lora_linear(x.detach(), weight, &lora, key, &saved), y.detach()));
  const LoraGrads grads{at::ones({4, 24}), at::ones({32, 4})};
  const auto before = at::randn({40, 24});
  const auto dx = ops.lora_linear_backward(dy, weight, &lora, saved, &grads, before.clone(), true);
  EXPECT_TRUE(close(dx - before, x.grad()));
  EXPECT_TRUE(close(grads.a_RI - 1, a.grad()));
  EXPECT_TRUE(close(grads.b_OR - 1, b.grad()));
}

TEST_P(Ops, LoraLinearAndItsGradients) { check_lora_linear(*ops_, 0); }
TEST_P(Ops, LoraLinearWithDropoutAndItsGradients) { check_lora_linear(*ops_, 0.3); }

TEST_P(Ops, FrozenLinearPassesTheGradientAlone) {
  const auto weight = at::randn({32, 24}), dy = at::randn({40, 32});
  const auto dx = ops_->lora_linear_backward(dy, weight, nullptr, {}, nullptr, {}, true);
  EXPECT_TRUE(close(dx, at::mm(dy, weight)));
  EXPECT_FALSE(ops_->lora_linear_backward(dy, weight, nullptr, {}, nullptr, {}, false).defined());
}

TEST_P(Ops, RopeBackwardIsTheOppositeRotation) {
  const auto angles = at::randn({9, 16});
  const auto both = at::cat({angles, angles}, -1);
  const auto cos = both.cos(), sin = both.sin();
  const auto x = leaf({2, 3, 9, 32});
  const auto dy = at::randn({2, 3, 9, 32});
  const auto rotated = at::cat({-x.narrow(-1, 16, 16), x.narrow(-1, 0, 16)}, -1);
  const auto y = x * cos + rotated * sin;
  y.backward(dy);
  EXPECT_TRUE(close(ops_->rope(x.detach(), cos, sin), y.detach()));
  EXPECT_TRUE(close(ops_->rope_backward(dy, cos, sin), x.grad()));
}

void check_attention(OpSet& ops, std::int64_t kv_heads, std::int64_t length) {
  const auto q = leaf({2, 6, length, 64}), k = leaf({2, kv_heads, length, 64}),
             v = leaf({2, kv_heads, length, 64});
  const auto groups = 6 / kv_heads;
  const auto kk = k.repeat_interleave(groups, 1), vv = v.repeat_interleave(groups, 1);
  const auto mask = at::ones({length, length}, at::kBool).tril();
  const auto scores = at::matmul(q, kk.transpose(-1, -2)) / 8.0;
  const auto o = at::matmul(at::softmax(scores.masked_fill(mask.logical_not(), -INFINITY), -1), vv);
  const auto dout = at::randn({2, 6, length, 64});
  o.backward(dout);
  const auto ours = ops.attention(q.detach(), k.detach(), v.detach(), {});
  EXPECT_TRUE(close(ours.o_BHTE, o.detach()));
  const auto d = ops.attention_backward(dout, q.detach(), k.detach(), v.detach(), ours, {});
  EXPECT_TRUE(close(d.dq_BHTE, q.grad()));
  EXPECT_TRUE(close(d.dk_BKTE, k.grad()));
  EXPECT_TRUE(close(d.dv_BKTE, v.grad()));
}

TEST_P(Ops, CausalAttentionAndItsGradients) { check_attention(*ops_, 6, 50); }
TEST_P(Ops, GroupedQueryAttentionAndItsGradients) { check_attention(*ops_, 2, 77); }
// One token attends to itself alone: o = v and dv = do, while dq and dk are zero. A kernel gets
// them as (do.v - do.o) k / 8, the difference of two sums of E = 64 products: each is off by at
// most E eps sum |do v| (Higham, "Accuracy and Stability of Numerical Algorithms", section 3.1).
TEST_P(Ops, AttentionOfOneToken) {
  const auto q = at::randn({2, 6, 1, 64}), k = at::randn({2, 6, 1, 64}),
             v = at::randn({2, 6, 1, 64});
  const auto dout = at::randn({2, 6, 1, 64});
  const auto ours = ops_->attention(q, k, v, {});
  EXPECT_TRUE(close(ours.o_BHTE, v));
  const auto d = ops_->attention_backward(dout, q, k, v, ours, {});
  EXPECT_TRUE(close(d.dv_BKTE, dout));
  const auto slack = (dout * v).abs().sum(-1, true) * (2 * 64 * 0x1p-24 / 8);
  EXPECT_TRUE((d.dq_BHTE.abs() <= slack * k.abs()).all().item<bool>());
  EXPECT_TRUE((d.dk_BKTE.abs() <= slack * q.abs()).all().item<bool>());
}

/// Attention of everything at once, whose scores do not fit into one part of the work, against that
/// of each row and key/value head by itself.
void check_parts(std::int64_t rows, std::int64_t kv_heads, std::int64_t length) {
  at::manual_seed(6);
  const auto ops = make_portable_ops(Isa::kAuto);
  const auto q = at::randn({rows, 3 * kv_heads, length, 16}), dout = at::randn_like(q);
  const auto k = at::randn({rows, kv_heads, length, 16}), v = at::randn_like(k);
  const auto whole = ops->attention(q, k, v, {});
  const auto d = ops->attention_backward(dout, q, k, v, whole, {});
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t kv = 0; kv < kv_heads; ++kv) {
      const auto of_q = [&](const at::Tensor& t) {
        return t.narrow(0, row, 1).narrow(1, 3 * kv, 3);
      };
      const auto of_kv = [&](const at::Tensor& t) { return t.narrow(0, row, 1).narrow(1, kv, 1); };
      const auto part = ops->attention(of_q(q), of_kv(k), of_kv(v), {});
      const auto dp = ops->attention_backward(of_q(dout), of_q(q), of_kv(k), of_kv(v), part, {});
      EXPECT_TRUE(at::equal(of_q(whole.o_BHTE), part.o_BHTE)) << row << ", " << kv;
      EXPECT_TRUE(at::equal(of_q(d.dq_BHTE), dp.dq_BHTE)) << row << ", " << kv;
      EXPECT_TRUE(at::equal(of_kv(d.dk_BKTE), dp.dk_BKTE)) << row << ", " << kv;
      EXPECT_TRUE(at::equal(of_kv(d.dv_BKTE), dp.dv_BKTE)) << row << ", " << kv;
    }
  }
}

TEST(PortableAttention, PartsOfRowsChangeNoBit) { check_parts(6, 1, 2048); }
TEST(PortableAttention, PartsOfHeadsChangeNoBit) { check_parts(2, 2, 4096); }

TEST_P(Ops, SwigluAndItsGradients) {
  const auto gate = leaf({20, 48}), up = leaf({20, 48});
  const auto dy = at::randn({20, 48});
  const auto y = gate * at::sigmoid(gate) * up;
  y.backward(dy);
  EXPECT_TRUE(close(ops_->swiglu(gate.detach(), up.detach()), y.detach()));
  const auto [dgate, dup] = ops_->swiglu_backward(dy, gate.detach(), up.detach());
  EXPECT_TRUE(close(dgate, gate.grad()));
  EXPECT_TRUE(close(dup, up.grad()));
}

TEST_P(Ops, CrossEntropyAndItsGradientAcrossChunks) {
  // 1,500 rows: one whole chunk of 1,024 and a rest.
  const auto x = leaf({1500, 16});
  const auto weight = at::randn({50, 16});
  const auto labels = at::randint(0, 50, {1500}, at::kLong);
  const auto loss =
      -at::log_softmax(at::mm(x, weight.t()), -1).gather(1, labels.unsqueeze(1)).sum();
  (loss * 0.25).backward();
  const auto ours = ops_->linear_cross_entropy(x.detach(), weight, labels, 0.25);
  EXPECT_TRUE(close(ours.loss_sum, loss.detach()));
  EXPECT_TRUE(close(ours.dx_LD, x.grad()));
}

TEST_P(Ops, EmbeddingPicksRows) {
  const auto weight = at::randn({10, 4});
  const auto ids = at::tensor({3, 0, 9, 3}, at::kLong);
  EXPECT_TRUE(at::equal(ops_->embedding(ids, weight)[2], weight[9]));
  EXPECT_TRUE(at::equal(ops_->embedding(ids, weight)[0], weight[3]));
}

}  // namespace
}  // namespace twinrun::trainer
