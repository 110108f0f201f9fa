// The fused kernels against the operations of ATen that they stand for. Label `gpu`.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "trainer/ops/torch/fused.h"

namespace twinrun::trainer {
namespace {

/// Rows and columns: whole packs of 16 bytes, a row of a real model, tails, one element.
const std::pair<std::int64_t, std::int64_t> kShapes[] = {{8, 64}, {100, 576}, {33, 2048},
                                                         {7, 30}, {5, 4097},  {1, 1}};

at::Tensor random(at::IntArrayRef sizes, at::ScalarType type) {
  return at::randn(sizes, at::TensorOptions(at::kCUDA).dtype(type));
}

/// An ulp of the dtype, where both round, and what sums in another order leave.
void expect_close(const at::Tensor& actual, const at::Tensor& expected, const std::string& what) {
  ASSERT_EQ(actual.scalar_type(), expected.scalar_type()) << what;
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  const bool half = actual.scalar_type() == at::kBFloat16;
  EXPECT_TRUE(at::allclose(actual.to(at::kDouble), expected.to(at::kDouble), half ? 0x1p-7 : 2e-6,
                           half ? 0x1p-7 : 2e-6))
      << what << ": off by "
      << (actual.to(at::kDouble) - expected.to(at::kDouble)).abs().max().item<double>();
}

/// Calls test(dtype, rows, cols, offset), `offset` elements before the data.
template <typename Test>
void for_each_case(Test test) {
  at::manual_seed(7);
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    for (const auto& [rows, cols] : kShapes) {
      for (const std::int64_t offset : {0, 1}) test(type, rows, cols, offset);
    }
  }
}

at::Tensor shifted(std::int64_t rows, std::int64_t cols, std::int64_t offset, at::ScalarType type) {
  return random({rows * cols + offset}, type).narrow(0, offset, rows * cols).view({rows, cols});
}

TEST(GpuFused, RmsNormIsThatOfAten) {
  for_each_case([](at::ScalarType type, std::int64_t rows, std::int64_t cols, std::int64_t offset) {
    const auto x = shifted(rows, cols, offset, type), dy = shifted(rows, cols, offset, type);
    const auto w = random({cols}, type), residual = random({rows, cols}, type);
    const auto x32 = x.to(at::kFloat);
    const auto rstd = (x32 * x32).mean(-1, true).add(1e-5).rsqrt();
    const auto ours = fused::rms_norm(x, w, 1e-5);
    expect_close(ours.rstd_N1, rstd, "rstd");
    expect_close(ours.y_ND, (x32 * rstd).to(type) * w, "y");
    const auto normed = x32 * rstd, wdy = dy.to(at::kFloat) * w.to(at::kFloat);
    const auto dx = ((wdy - normed * (wdy * normed).mean(-1, true)) * rstd).to(type);
    expect_close(fused::rms_norm_backward(dy, x, ours.rstd_N1, w, {}), dx, "dx");
    expect_close(fused::rms_norm_backward(dy, x, ours.rstd_N1, w, residual), residual + dx, "sum");
  });
}

TEST(GpuFused, SwigluIsThatOfAten) {
  for_each_case([](at::ScalarType type, std::int64_t rows, std::int64_t cols, std::int64_t offset) {
    const auto gate = shifted(rows, cols, offset, type), up = shifted(rows, cols, offset, type);
    const auto dy = random({rows, cols}, type);
    expect_close(fused::swiglu(gate, up), at::silu(gate) * up, "y");
    const auto [dgate, dup] = fused::swiglu_backward(dy, gate, up);
    expect_close(dup, at::silu(gate) * dy, "dup");
    expect_close(dgate, at::silu_backward(dy * up, gate), "dgate");
  });
}

TEST(GpuFused, RopeIsThatOfAtenInEveryLayout) {
  at::manual_seed(8);
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    for (const std::int64_t size : {2, 6, 64, 128}) {
      const std::int64_t rows = 3, heads = 5, length = 17, half = size / 2;
      const auto cos = random({length, size}, type), sin = random({length, size}, type);
      for (const bool heads_first : {false, true}) {
        const auto x = heads_first ? random({rows, heads, length, size}, type)
                                   : random({rows, length, heads, size}, type).transpose(1, 2);
        const auto turned = at::cat({x.narrow(-1, half, half).neg(), x.narrow(-1, 0, half)}, -1);
        const auto y = fused::rope(x, cos, sin, false);
        expect_close(y, x * cos + turned * sin, "forward");
        EXPECT_TRUE(y.transpose(1, 2).is_contiguous());
        const auto scaled = x * sin;
        const auto back =
            at::cat({scaled.narrow(-1, half, half), scaled.narrow(-1, 0, half).neg()}, -1);
        expect_close(fused::rope(x, cos, sin, true), x * cos + back, "backward");
      }
    }
  }
}

TEST(GpuFused, CrossEntropyIsThatOfAten) {
  for_each_case([](at::ScalarType type, std::int64_t rows, std::int64_t cols, std::int64_t offset) {
    auto logits = shifted(rows, cols, offset, type).mul_(4);
    const auto labels = at::randint(cols, {rows}, at::TensorOptions(at::kCUDA).dtype(at::kLong));
    const auto log_p = at::log_softmax(logits, -1, at::kFloat);
    const auto expected = -log_p.gather(1, labels.unsqueeze(1)).squeeze(1);
    auto p = log_p.exp();
    p.scatter_add_(1, labels.unsqueeze(1), at::full({rows, 1}, -1.0, p.options()));
    const auto losses = at::empty({rows}, p.options());
    fused::cross_entropy_(logits, labels, 0.25, losses);
    EXPECT_TRUE(at::allclose(losses, expected, 1e-5, 1e-5));
    expect_close(logits, (p * 0.25).to(type), "gradient");
  });
}

/// What is not a number stays one: a loss that hides it would turn a red run green.
TEST(GpuFused, CrossEntropyHidesNothing) {
  const auto labels = at::zeros({1}, at::TensorOptions(at::kCUDA).dtype(at::kLong));
  const auto loss_of = [&](std::int64_t position, float value) {
    auto logits = at::zeros({1, 5000}, at::TensorOptions(at::kCUDA));
    logits.select(1, position).fill_(value);
    const auto losses = at::empty({1}, logits.options());
    fused::cross_entropy_(logits, labels, 1, losses);
    return losses.item<float>();
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const std::int64_t position : {0, 1, 2047, 4999}) {
    EXPECT_TRUE(std::isnan(loss_of(position, std::nanf("")))) << position;
    EXPECT_FALSE(std::isfinite(loss_of(position, kInfinity))) << position;
  }
  EXPECT_EQ(loss_of(0, -kInfinity), kInfinity);
  // One thread has nothing finite, and its neighbour in the tree nothing but -infinity.
  auto logits = at::zeros({1, 256}, at::TensorOptions(at::kCUDA));
  logits.narrow(1, 0, 4).fill_(-kInfinity);
  logits.narrow(1, 64, 4).fill_(std::nanf(""));
  const auto losses = at::empty({1}, logits.options());
  fused::cross_entropy_(logits, at::full({1}, 9, labels.options()), 1, losses);
  EXPECT_TRUE(std::isnan(losses.item<float>()));
  EXPECT_TRUE(std::isfinite(loss_of(3, -kInfinity)));
}

/// Beside large logits a small loss and its gradient are not rounded away.
TEST(GpuFused, CrossEntropyOfASureTokenIsNotZero) {
  auto logits = at::zeros({1, 2}, at::TensorOptions(at::kCUDA));
  logits.select(1, 0).fill_(60);
  logits.select(1, 1).fill_(45);
  const auto losses = at::empty({1}, logits.options());
  fused::cross_entropy_(logits, at::zeros({1}, losses.options().dtype(at::kLong)), 1, losses);
  EXPECT_NEAR(losses.item<double>(), std::log1p(std::exp(-15.0)), 1e-7);
  EXPECT_GT(losses.item<double>(), 0);
}

TEST(GpuFused, RefusesShapesThatDoNotFit) {
  const auto x = random({8, 64}, at::kFloat), shorter = random({8, 32}, at::kFloat);
  const auto w = random({64}, at::kFloat), rstd = random({8, 1}, at::kFloat);
  EXPECT_THROW(fused::rms_norm(x, random({32}, at::kFloat), 1e-5), c10::Error);
  EXPECT_THROW(fused::rms_norm_backward(shorter, x, rstd, w, {}), c10::Error);
  EXPECT_THROW(fused::rms_norm_backward(x, x, rstd, w, shorter), c10::Error);
  EXPECT_THROW(fused::rms_norm_backward(x, x, random({4, 1}, at::kFloat), w, {}), c10::Error);
  EXPECT_THROW(fused::swiglu(x, shorter), c10::Error);
  EXPECT_THROW(fused::swiglu_backward(shorter, x, x), c10::Error);
  EXPECT_THROW(fused::rms_norm(x.to(at::kHalf), w.to(at::kHalf), 1e-5), c10::Error);
}

TEST(GpuFused, RepeatsItsBits) {
  at::manual_seed(9);
  const auto x = random({512, 2048}, at::kBFloat16), w = random({2048}, at::kBFloat16);
  const auto first = fused::rms_norm(x, w, 1e-5), again = fused::rms_norm(x, w, 1e-5);
  EXPECT_TRUE(at::equal(first.y_ND, again.y_ND) && at::equal(first.rstd_N1, again.rstd_N1));
  const auto labels = at::randint(2048, {512}, at::TensorOptions(at::kCUDA).dtype(at::kLong));
  auto one = x.clone(), two = x.clone();
  const auto losses = at::empty({512}, at::TensorOptions(at::kCUDA)), more = losses.clone();
  fused::cross_entropy_(one, labels, 1, losses);
  fused::cross_entropy_(two, labels, 1, more);
  EXPECT_TRUE(at::equal(one, two) && at::equal(losses, more));
}

}  // namespace
}  // namespace twinrun::trainer
