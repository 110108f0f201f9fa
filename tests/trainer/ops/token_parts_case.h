#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "trainer/ops/torch/token_parts.h"

namespace twinrun::trainer {

/// Operands whose sums within a part are exact in whatever order a library takes, while the parts
/// are of such different size that adding them rounds: so the order of the parts shows, and nothing
/// else.
struct TokenPartsCase {
  explicit TokenPartsCase(std::int64_t tokens) {
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

}  // namespace twinrun::trainer
