// Sums over tokens cut into parts. Label `gpu`: without a GPU these fail, they never skip.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "trainer/ops/torch/token_parts.h"

namespace twinrun::trainer {
namespace {

/// Operands whose sums within a part are exact in whatever order a library takes, while the parts
/// are of such different size that adding them rounds: so the order of the parts shows, and nothing
/// else.
struct PartsCase {
  explicit PartsCase(std::int64_t tokens) {
    constexpr int kExponents[] = {0, 20, 3, 22, 11};
    left = at::randint(-8, 9, {tokens, 24}).to(at::kFloat);
    right = at::randint(-8, 9, {tokens, 8}).to(at::kFloat);
    for (std::int64_t t = 0; t < tokens; ++t) {
      left[t].mul_(std::ldexp(1.0, kExponents[t / kTokenPart % 5]));
    }
    grad = at::randn({24, 8});
  }

  /// By the definition in docs/numerics.md; with the parts in another order where `backwards`.
  at::Tensor expected(double scale, bool backwards = false) const {
    std::vector<at::Tensor> parts;
    for (std::int64_t begin = 0; begin < left.size(0); begin += kTokenPart) {
      const auto count = std::min(kTokenPart, left.size(0) - begin);
      const auto part = [&](const at::Tensor& x) {
        return x.narrow(0, begin, count).to(at::kDouble);
      };
      parts.push_back(at::mm(part(left).t(), part(right)).to(at::kFloat));
    }
    if (backwards) std::reverse(parts.begin(), parts.end());
    auto sum = parts[0].clone();
    for (std::size_t p = 1; p < parts.size(); ++p) sum.add_(parts[p]);
    return grad + sum * scale;
  }

  at::Tensor left, right, grad;
};

TEST(GpuTokenParts, AreAddedInAscendingOrderWithTheRestLast) {
  at::manual_seed(4);
  LtProducts lt;
  for (const std::int64_t tokens : {1, 511, 512, 513, 1024, 2600}) {
    const PartsCase one(tokens);
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      const auto grad = one.grad.cuda();
      add_product_in_parts(grad, one.left.to(type).cuda(), one.right.to(type).cuda(), 0.3, lt);
      EXPECT_TRUE(at::equal(grad.cpu(), one.expected(0.3))) << tokens << " tokens, " << type;
    }
  }
}

TEST(GpuTokenParts, AnotherOrderWouldShow) {
  at::manual_seed(4);
  const PartsCase one(2600);
  EXPECT_FALSE(at::equal(one.expected(0.3), one.expected(0.3, /*backwards=*/true)));
}

TEST(GpuTokenParts, RefuseWhatTheyCannotCut) {
  LtProducts lt;
  const auto ones = [](at::IntArrayRef sizes) { return at::ones(sizes, at::kCUDA); };
  const auto grad = at::zeros({24, 8}, at::kCUDA), right = ones({40, 8});
  EXPECT_THROW(add_product_in_parts(grad, ones({24, 40}).t(), right, 1, lt), c10::Error);
  EXPECT_THROW(add_product_in_parts(grad, ones({39, 24}), right, 1, lt), c10::Error);
  EXPECT_THROW(add_product_in_parts(grad.cpu(), ones({40, 24}), right, 1, lt), c10::Error);
}

}  // namespace
}  // namespace twinrun::trainer
