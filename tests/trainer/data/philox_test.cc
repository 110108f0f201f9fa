#include "trainer/data/philox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

namespace twinrun::trainer {
namespace {

// Known answers of the paper's authors: all zeros, all ones, digits of pi.
TEST(Philox, GivesTheKnownAnswersOfItsAuthors) {
  constexpr std::uint32_t kOnes = 0xFFFFFFFF;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, IsAConstantExpression) {
  static_assert(philox4x32({0, 0, 0, 0}, {0, 0})[0] == 0x6627e8d5);
  static_assert(philox_key(0x1FFFFFFFFFFFFFu) == PhiloxKey{0xFFFFFFFF, 0x1FFFFF});
}

TEST(DropoutCounter, KeepsEveryCoordinateApart) {
  const PhiloxBlock counter = dropout_counter(29, LinearModule::kDownProj, 7, 10, 3);
  EXPECT_EQ(counter, (PhiloxBlock{1u | (6u << 8) | (29u << 12), 7, 10, 3}));
  // The largest layer does not reach the stream's bits.
  EXPECT_EQ(dropout_counter((1u << 20) - 1, LinearModule::kQProj, 0, 0, 0)[0], 0xFFFFF001u);
}

TEST(DropoutThreshold, IsPTimesTwoToThe32Rounded) {
  EXPECT_EQ(dropout_threshold(0.0), 0u);
  EXPECT_EQ(dropout_threshold(0.5), 0x80000000u);
  EXPECT_EQ(dropout_threshold(0.05), 214748365u);  // 214748364.8
  EXPECT_EQ(dropout_threshold(0x1p-33), 1u);       // exactly half a unit
  EXPECT_EQ(dropout_threshold(0x1.fffffffffffffp-34), 0u);
  EXPECT_EQ(dropout_threshold(0x1.fffffffffffffp-1), 0xFFFFFFFFu);
}

TEST(PhiloxSequence, HandsOutTheWordsOfItsBlocksInOrder) {
  PhiloxSequence sequence(PhiloxStream::kShuffle, 5, 42);
  for (std::uint32_t block = 0; block < 3; ++block) {
    for (const std::uint32_t word : philox4x32({2, 5, block, 0}, {42, 0})) {
      EXPECT_EQ(sequence.next(), word);
    }
  }
  EXPECT_EQ(sequence.draws(), 12u);
}

TEST(PhiloxSequence, BelowIsUniformAndCountsRejectedDraws) {
  PhiloxSequence sequence(PhiloxStream::kSynthetic, 0, 1);
  std::map<std::uint32_t, int> counts;
  constexpr int kDraws = 30000;
  for (int i = 0; i < kDraws; ++i) ++counts[sequence.below(3)];
  ASSERT_EQ(counts.size(), 3u);
  for (const auto& [value, count] : counts) EXPECT_NEAR(count, kDraws / 3, 500) << value;
  // 2^32 mod (2^31 + 1) rejects almost every second draw; a biased one would not draw again.
  PhiloxSequence large(PhiloxStream::kSynthetic, 0, 1);
  for (int i = 0; i < 1000; ++i) EXPECT_LE(large.below(0x80000001u), 0x80000000u);
  EXPECT_GT(large.draws(), 1700u);
}

}  // namespace
}  // namespace twinrun::trainer
