#include "trainer/ops/leaf_hash.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace twinrun::trainer {
namespace {

protocol::Digest by_definition(const at::Tensor& tensor, const char* dtype) {
  return protocol::tensor_digest(
      dtype, tensor.sizes(),
      {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()});
}

TEST(LeafHasher, EqualsTheTensorDigestOfEachTensor) {
  const std::vector<NamedTensor> tensors = {{"one", at::randn({1})},
                                            {"leaf", at::randn({1024})},
                                            {"tail", at::randn({1025, 3})},
                                            {"bf16", at::randn({33, 77}).to(at::kBFloat16)}};
  const LeafHasher hasher(tensors, 2);
  const auto digests = hasher.digests(hasher.enqueue());
  ASSERT_EQ(digests.size(), tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_EQ(digests[i].first, tensors[i].name);
    EXPECT_EQ(digests[i].second, by_definition(tensors[i].tensor, i == 3 ? "bfloat16" : "float32"));
  }
}

TEST(LeafHasher, SeesASignFlipOfZeroAndAPermutation) {
  auto tensor = at::zeros({5000});
  tensor[1] = 1;
  const LeafHasher hasher({{"t", tensor}}, 1);
  const auto before = hasher.digests(hasher.enqueue());
  tensor[4999] = -0.0F;
  const auto flipped = hasher.digests(hasher.enqueue());
  EXPECT_NE(before, flipped);
  tensor[4999] = 0.0F;
  tensor[1] = 0;
  tensor[2] = 1;
  EXPECT_NE(before, hasher.digests(hasher.enqueue()));
}

TEST(LeafHasher, RefusesATensorThatIsNotContiguous) {
  EXPECT_THROW(LeafHasher({{"t", at::randn({4, 4}).t()}}, 1), c10::Error);
}

}  // namespace
}  // namespace twinrun::trainer
