#include "harness/protocol/tensor_digest.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace twinrun::protocol {
namespace {

std::vector<std::byte> bytes(std::size_t count) {
  std::vector<std::byte> data(count);
  for (std::size_t i = 0; i < count; ++i) data[i] = static_cast<std::byte>(i * 131 + i / 251);
  return data;
}

std::string_view text_of(std::span<const std::byte> data) {
  return {reinterpret_cast<const char*>(data.data()), data.size()};
}

TEST(LeafDigestsTest, LeavesAre4096BytesAndTheLastIsShort) {
  const auto data = bytes(4096 * 2 + 1);
  const auto leaves = leaf_digests(data);
  ASSERT_EQ(leaves.size(), 3u);
  EXPECT_EQ(leaves[0], sha256(text_of(data).substr(0, 4096)));
  EXPECT_EQ(leaves[1], sha256(text_of(data).substr(4096, 4096)));
  EXPECT_EQ(leaves[2], sha256(text_of(data).substr(8192)));
  EXPECT_EQ(leaf_digests(std::span(data).first(4096)).size(), 1u);
  EXPECT_TRUE(leaf_digests({}).empty());
}

TEST(LeafDigestsTest, DoNotDependOnTheThreads) {
  const auto data = bytes(4096 * 1000 + 77);
  const auto one = leaf_digests(data);
  for (const int threads : {2, 3, 7, 64}) EXPECT_EQ(leaf_digests(data, threads), one) << threads;
}

TEST(TensorDigestTest, IsTheHashOfTypeShapeAndLeaves) {
  const auto data = bytes(24);
  const Digest leaf = sha256(text_of(data));
  const std::string hashed =
      "float32\n2,3\n" + std::string(reinterpret_cast<const char*>(leaf.data()), leaf.size());
  const std::int64_t shape[] = {2, 3};
  EXPECT_EQ(tensor_digest("float32", shape, data), sha256(hashed));
}

TEST(TensorDigestTest, SeesTypeShapeOrderAndSign) {
  auto data = bytes(24);
  const std::int64_t wide[] = {2, 3}, tall[] = {3, 2};
  const Digest digest = tensor_digest("float32", wide, data);
  EXPECT_NE(tensor_digest("int32", wide, data), digest);
  EXPECT_NE(tensor_digest("float32", tall, data), digest);
  std::swap(data[0], data[4]);
  EXPECT_NE(tensor_digest("float32", wide, data), digest);
  std::swap(data[0], data[4]);
  data[3] ^= std::byte{0x80};
  EXPECT_NE(tensor_digest("float32", wide, data), digest);
}

TEST(TensorDigestTest, AScalarHasAnEmptyShapeLineAndNoDataHasNoLeaf) {
  const auto data = bytes(8);
  const Digest leaf = sha256(text_of(data));
  EXPECT_EQ(
      tensor_digest("int64", {}, data),
      sha256("int64\n\n" + std::string(reinterpret_cast<const char*>(leaf.data()), leaf.size())));
  const std::int64_t empty[] = {0, 4};
  EXPECT_EQ(tensor_digest("int64", empty, {}), sha256(std::string_view("int64\n0,4\n")));
}

TEST(GroupDigestTest, IsTheHashOfSortedLinesWhateverTheOrder) {
  const Digest a = sha256(std::string_view("1")), b = sha256(std::string_view("2"));
  const Digest expected = sha256("B\n" + to_hex(b) + "\na\n" + to_hex(a) + "\n");
  EXPECT_EQ(group_digest({{"a", a}, {"B", b}}), expected);
  EXPECT_EQ(group_digest({{"B", b}, {"a", a}}), expected);
  EXPECT_NE(group_digest({{"B", a}, {"a", b}}), expected);
}

TEST(GroupDigestTest, SortsByUnsignedBytes) {
  const Digest a = sha256(std::string_view("1")), b = sha256(std::string_view("2"));
  EXPECT_EQ(group_digest({{"\xc3\xa4", a}, {"z", b}}),
            sha256("z\n" + to_hex(b) + "\n\xc3\xa4\n" + to_hex(a) + "\n"));
}

TEST(GroupDigestTest, RefusesNamesThatWouldBeAmbiguous) {
  const Digest digest{};
  EXPECT_THROW(group_digest({{"a", digest}, {"a", digest}}), std::invalid_argument);
  EXPECT_THROW(group_digest({{"a\nb", digest}}), std::invalid_argument);
}

}  // namespace
}  // namespace twinrun::protocol
