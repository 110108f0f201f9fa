#include <gtest/gtest.h>

#include "tests/trainer/ops/token_parts_case.h"

namespace twinrun::trainer {
namespace {

TEST(TokenParts, AreAddedInAscendingOrderWithTheRestLast) {
  at::manual_seed(4);
  for (const std::int64_t tokens : {1, 511, 512, 513, 1024, 2600}) {
    const TokenPartsCase one(tokens);
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      auto grad = one.grad.clone();
      add_product_in_parts(grad, one.left.to(type), one.right.to(type), 0.3, nullptr);
      EXPECT_TRUE(at::equal(grad, one.expected(0.3))) << tokens << " tokens, " << type;
    }
  }
}

TEST(TokenParts, AnotherOrderWouldShow) {
  at::manual_seed(4);
  const TokenPartsCase one(2600);
  EXPECT_FALSE(at::equal(one.expected(0.3), one.expected(0.3, /*backwards=*/true)));
}

TEST(TokenParts, RefuseWhatTheyCannotCut) {
  auto grad = at::zeros({24, 8});
  const auto right = at::ones({40, 8});
  EXPECT_THROW(add_product_in_parts(grad, at::ones({24, 40}).t(), right, 1, nullptr), c10::Error);
  EXPECT_THROW(add_product_in_parts(grad, at::ones({39, 24}), right, 1, nullptr), c10::Error);
}

}  // namespace
}  // namespace twinrun::trainer
