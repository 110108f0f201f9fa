#include "trainer/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "trainer/data/philox.h"

namespace twinrun::trainer {
namespace {

using testing::ElementsAre;

using Ids = std::vector<std::int64_t>;

TEST(EpochOrder, FollowsTheDocumentedDraws) {
  // 2^32 mod 5, 4, 3, 2 is 1, 0, 1, 0: these four words reject none.
  const PhiloxBlock words = philox4x32({2, 7, 0, 0}, {42, 0});
  Ids expected = {0, 1, 2, 3, 4};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::uint64_t left = 5 - i;
    std::swap(expected[left - 1], expected[(words[i] * left) >> 32]);
  }
  EXPECT_EQ(epoch_order(5, 42, 7), expected);
}

TEST(EpochOrder, HasFrozenValues) {
  EXPECT_THAT(epoch_order(8, 42, 0), ElementsAre(1, 2, 7, 0, 5, 3, 4, 6));
  EXPECT_THAT(epoch_order(1, 42, 0), ElementsAre(0));
}

TEST(EpochOrder, IsAPermutationThatSeedAndEpochChange) {
  const Ids order = epoch_order(1000, 42, 0);
  Ids sorted = order;
  std::ranges::sort(sorted);
  Ids all(1000);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(sorted, all);
  EXPECT_NE(order, all);
  EXPECT_EQ(order, epoch_order(1000, 42, 0));
  EXPECT_NE(order, epoch_order(1000, 43, 0));
  EXPECT_NE(order, epoch_order(1000, 42 + (1ull << 32), 0));
  EXPECT_NE(order, epoch_order(1000, 42, 1));
}

TEST(EpochOrder, GivesEveryPermutationItsShare) {
  std::map<Ids, int> counts;
  constexpr int kEpochs = 12000;
  for (int epoch = 0; epoch < kEpochs; ++epoch) ++counts[epoch_order(4, 3, epoch)];
  ASSERT_EQ(counts.size(), 24u);
  // 500 expected, standard deviation 22.
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, kEpochs / 24, 110);
}

TEST(Synthetic, FollowsTheDocumentedDraws) {
  const Dataset data = make_synthetic(3, 6, 1u << 31, 9);
  ASSERT_EQ(data.samples.size(), 3u);
  const Sample& sample = data.samples[2];
  EXPECT_EQ(sample.id, protocol::SampleId(std::int64_t{2}));
  EXPECT_EQ(sample.labels, sample.input_ids);
  const PhiloxBlock first = philox4x32({4, 2, 0, 0}, {9, 0});
  const PhiloxBlock second = philox4x32({4, 2, 1, 0}, {9, 0});
  EXPECT_THAT(sample.input_ids, ElementsAre(first[0] >> 1, first[1] >> 1, first[2] >> 1,
                                            first[3] >> 1, second[0] >> 1, second[1] >> 1));
}

TEST(Synthetic, DrawsEveryIdOfTheVocabulary) {
  const Dataset data = make_synthetic(10, 100, 7, 1);
  std::set<std::int64_t> seen;
  for (const Sample& sample : data.samples) {
    EXPECT_EQ(sample.input_ids.size(), 100u);
    seen.insert(sample.input_ids.begin(), sample.input_ids.end());
  }
  EXPECT_THAT(seen, ElementsAre(0, 1, 2, 3, 4, 5, 6));
}

TEST(Synthetic, RefusesSizesThatTrainNothing) {
  EXPECT_THROW(make_synthetic(0, 8, 10, 1), DataError);
  EXPECT_THROW(make_synthetic(1, 1, 10, 1), DataError);
  EXPECT_THROW(make_synthetic(1, 8, 0, 1), DataError);
  EXPECT_THROW(make_synthetic(1, 8, std::int64_t{1} << 32, 1), DataError);
}

Dataset three_samples() {
  Dataset data;
  data.samples = {{std::int64_t{0}, {10, 11, 12}, {kIgnoreIndex, 11, 12}},
                  {std::string("b"), {20, 21}, {20, 21}},
                  {std::int64_t{2}, {30, 31, 32, 33}, {kIgnoreIndex, kIgnoreIndex, 32, 33}}};
  return data;
}

TEST(MakeBatch, PadsOnTheRightToTheLongest) {
  const Batch batch = make_batch(three_samples(), {{1}, {0}}, 99);
  EXPECT_EQ(batch.rows, 2);
  EXPECT_EQ(batch.length, 3);
  EXPECT_THAT(batch.input_ids, ElementsAre(20, 21, 99, 10, 11, 12));
  EXPECT_THAT(batch.labels, ElementsAre(20, 21, -100, -100, 11, 12));
  EXPECT_THAT(batch.attention_mask, ElementsAre(1, 1, 0, 1, 1, 1));
  EXPECT_THAT(batch.ids, ElementsAre(protocol::SampleId("b"), protocol::SampleId(std::int64_t{0})));
}

TEST(MakeBatch, CountsTokensWithoutPaddingAndLabelsThatAreUsed) {
  const Batch batch = make_batch(three_samples(), {{0}, {1}, {2}}, 0);
  EXPECT_EQ(batch.tokens, 9);
  // The label at position 0 of the second sample predicts nothing.
  EXPECT_EQ(batch.loss_tokens, 2 + 1 + 2);
}

TEST(MakeBatch, PutsSamplesOfARowOneAfterTheOther) {
  const Batch batch = make_batch(three_samples(), {{2, 1}, {0}}, 99);
  EXPECT_EQ(batch.length, 6);
  EXPECT_THAT(batch.input_ids, ElementsAre(30, 31, 32, 33, 20, 21, 10, 11, 12, 99, 99, 99));
  // 20 would be predicted from 33.
  EXPECT_THAT(batch.labels,
              ElementsAre(-100, -100, 32, 33, -100, 21, -100, 11, 12, -100, -100, -100));
  EXPECT_THAT(batch.attention_mask, ElementsAre(1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0));
  EXPECT_THAT(batch.position_ids, ElementsAre(0, 1, 2, 3, 0, 1, 0, 1, 2, 0, 0, 0));
  EXPECT_THAT(batch.ids, ElementsAre(protocol::SampleId(std::int64_t{2}), protocol::SampleId("b"),
                                     protocol::SampleId(std::int64_t{0})));
  EXPECT_EQ(batch.tokens, 9);
  EXPECT_EQ(batch.loss_tokens, 2 + 1 + 2);
}

TEST(Sampler, WalksTheOrderOfEachEpochAndDropsItsRest) {
  Sampler sampler(7, 2, 1, 42);
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    const Ids order = epoch_order(7, 42, epoch);
    for (std::size_t step = 0; step < 3; ++step) {
      EXPECT_THAT(sampler.next_step(),
                  ElementsAre(ElementsAre(Row{order[2 * step]}, Row{order[2 * step + 1]})));
      EXPECT_EQ(sampler.epoch(), epoch);
      EXPECT_EQ(sampler.position(), static_cast<std::int64_t>(2 * step + 2));
    }
  }
}

TEST(Sampler, TakesAccumulationMicroBatchesAStep) {
  Sampler sampler(7, 2, 3, 42);
  const Ids order = epoch_order(7, 42, 0);
  EXPECT_THAT(sampler.next_step(), ElementsAre(ElementsAre(Row{order[0]}, Row{order[1]}),
                                               ElementsAre(Row{order[2]}, Row{order[3]}),
                                               ElementsAre(Row{order[4]}, Row{order[5]})));
  sampler.next_step();
  EXPECT_EQ(sampler.epoch(), 1);
}

TEST(Sampler, CountsTheDrawsOfItsEpochs) {
  Sampler sampler(4, 4, 1, 42);
  EXPECT_EQ(sampler.draws(), 0);
  sampler.next_step();
  // Three words, none rejected: only a zero word could be, for a bound of 3.
  EXPECT_EQ(sampler.draws(), 3);
  sampler.next_step();
  EXPECT_EQ(sampler.draws(), 6);
}

TEST(Sampler, RestoredAnywhereGoesOnAsIfNeverStopped) {
  // 7 samples, 3 a step: a rest is dropped at each end of an epoch.
  for (int stop = 0; stop <= 7; ++stop) {
    Sampler whole(7, 3, 1, 42), restored(7, 3, 1, 42);
    for (int step = 0; step < stop; ++step) whole.next_step();
    restored.restore(whole.epoch(), whole.position(), whole.draws());
    for (int step = 0; step < 5; ++step) {
      EXPECT_EQ(restored.next_step(), whole.next_step()) << "stopped after " << stop;
      EXPECT_EQ(restored.epoch(), whole.epoch());
      EXPECT_EQ(restored.position(), whole.position());
      EXPECT_EQ(restored.draws(), whole.draws());
    }
  }
}

TEST(Sampler, IsNotRestoredToWhereItNeverIs) {
  Sampler sampler(7, 3, 1, 42);
  EXPECT_THROW(sampler.restore(0, 9, 6), std::invalid_argument);
  EXPECT_THROW(sampler.restore(0, 2, 6), std::invalid_argument);
  EXPECT_THROW(sampler.restore(0, 0, 6), std::invalid_argument);
  EXPECT_THROW(sampler.restore(0, -3, 6), std::invalid_argument);
  EXPECT_THROW(sampler.restore(-1, 3, 0), std::invalid_argument);
  EXPECT_THROW(sampler.restore(-2, 0, 0), std::invalid_argument);
  EXPECT_THROW(sampler.restore(0, 3, -1), std::invalid_argument);
  EXPECT_NO_THROW(sampler.restore(4, 6, 30));
}

TEST(Sampler, PacksInTheOrderOfTheEpochUntilTheNextDoesNotFit) {
  // Order of epoch 0: 1 2 7 0 5 3 4 6.
  const Packing packing{{3, 2, 5, 1, 7, 4, 8, 2}, 8};
  Sampler sampler(8, 2, 1, 42, packing);
  EXPECT_THAT(sampler.next_step(), ElementsAre(ElementsAre(Row{1, 2}, Row{7, 0})));
  EXPECT_EQ(sampler.position(), 2);
  EXPECT_THAT(sampler.next_step(), ElementsAre(ElementsAre(Row{5, 3}, Row{4})));
  // Of the fifth row, {6}, no step can be made.
  sampler.next_step();
  EXPECT_EQ(sampler.epoch(), 1);
}

TEST(Sampler, FillsAPackedRowToItsLastToken) {
  Sampler sampler(4, 2, 1, 42, Packing{{4, 4, 4, 4}, 8});
  const auto step = sampler.next_step();
  EXPECT_EQ(step[0][0].size(), 2u);
  EXPECT_EQ(step[0][1].size(), 2u);
}

TEST(Sampler, PackedRowsHoldEverySampleOfTheEpochOnce) {
  Packing packing{{}, 50};
  for (std::int64_t i = 0; i < 300; ++i) packing.lengths.push_back(1 + i * 7 % 50);
  Sampler sampler(300, 1, 1, 7, packing);
  Ids seen;
  for (auto step = sampler.next_step(); sampler.epoch() == 0; step = sampler.next_step()) {
    std::int64_t length = 0;
    for (const auto index : step[0][0]) {
      length += packing.lengths[static_cast<std::size_t>(index)];
      seen.push_back(index);
    }
    EXPECT_LE(length, 50);
  }
  EXPECT_EQ(seen, epoch_order(300, 7, 0));
}

TEST(Sampler, RestoredAnywhereItGoesOnPackingAsIfNeverStopped) {
  const Packing packing{{3, 2, 5, 1, 7, 4, 8, 2}, 8};
  for (int stop = 0; stop <= 7; ++stop) {
    Sampler whole(8, 1, 2, 42, packing), restored(8, 1, 2, 42, packing);
    for (int step = 0; step < stop; ++step) whole.next_step();
    restored.restore(whole.epoch(), whole.position(), whole.draws());
    for (int step = 0; step < 5; ++step) EXPECT_EQ(restored.next_step(), whole.next_step());
  }
  Sampler sampler(8, 1, 1, 42, packing);
  EXPECT_NO_THROW(sampler.restore(0, 5, 7));
  EXPECT_THROW(sampler.restore(0, 6, 7), std::invalid_argument);
}

TEST(Sampler, RefusesDataThatMayPackIntoLessRowsThanAStepTakes) {
  const Packing packing{{3, 2, 5, 1, 7, 4, 8, 2}, 8};  // 32 tokens: 4 rows at the least
  EXPECT_NO_THROW(Sampler(8, 4, 1, 42, packing));
  EXPECT_THROW(Sampler(8, 5, 1, 42, packing), DataError);
  EXPECT_THROW(Sampler(8, 2, 3, 42, packing), DataError);
}

TEST(Sampler, RefusesDataThatDoNotFillAStep) {
  EXPECT_THROW(Sampler(7, 8, 1, 42), DataError);
  EXPECT_THROW(Sampler(7, 4, 2, 42), DataError);
  EXPECT_THROW(Sampler(0, 1, 1, 42), DataError);
  EXPECT_THROW(Sampler(7, 0, 1, 42), DataError);
  EXPECT_THROW(Sampler(7, std::int64_t{1} << 62, 4, 42), DataError);
  EXPECT_NO_THROW(Sampler(8, 4, 2, 42));
}

}  // namespace
}  // namespace twinrun::trainer
