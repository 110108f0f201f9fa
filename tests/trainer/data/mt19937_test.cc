#include "trainer/data/mt19937.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include "harness/protocol/sha256.h"
#include "tests/trainer/data/mt19937_reference.h"

namespace twinrun::trainer {
namespace {

template <typename T>
std::string digest(const std::vector<T>& values) {
  return protocol::to_hex(protocol::sha256(std::as_bytes(std::span(values))));
}

TEST(TorchMt19937, DrawsTheWordsOfTorch) {
  TorchMt19937 generator(42);
  std::vector<std::uint64_t> pairs(1000);
  for (std::uint64_t& pair : pairs) {
    pair = std::uint64_t{generator.next()} << 32;
    pair |= generator.next();
  }
  EXPECT_EQ(digest(pairs), kWordsSha256);
  EXPECT_EQ(generator.draws(), 2000u);
}

TEST(KaimingUniform, HasTheBitsOfTorch) {
  for (const KaimingReference& reference : kKaimingReferences) {
    TorchMt19937 generator(reference.seed);
    std::vector<float> values(static_cast<std::size_t>(reference.fan_out * reference.fan_in));
    kaiming_uniform_torch(generator, values, reference.fan_in);
    SCOPED_TRACE(testing::Message()
                 << reference.fan_out << " x " << reference.fan_in << ", seed " << reference.seed);
    for (std::size_t i = 0; i < std::min<std::size_t>(4, values.size()); ++i) {
      EXPECT_EQ(std::bit_cast<std::uint32_t>(values[i]), reference.first[i]) << i;
    }
    EXPECT_EQ(digest(values), reference.sha256);
  }
}

TEST(KaimingUniform, DrawsAPeftModuleInItsOrder) {
  TorchMt19937 generator(42);
  std::vector<float> a(8 * 576), b(192 * 8);
  kaiming_uniform_torch(generator, a, 576);
  EXPECT_EQ(digest(a), kModuleSha256[0]);
  kaiming_uniform_torch(generator, b, 8);
  EXPECT_EQ(digest(b), kModuleSha256[1]);
  kaiming_uniform_torch(generator, a, 576);
  EXPECT_EQ(digest(a), kModuleSha256[2]);
}

}  // namespace
}  // namespace twinrun::trainer
