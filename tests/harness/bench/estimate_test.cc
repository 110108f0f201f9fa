#include "harness/bench/estimate.h"

#include <gtest/gtest.h>

#include "tests/harness/bench/bench_fixture.h"

namespace twinrun::harness {
namespace {

TEST(Block, ADriftThatIsStraightCancels) {
  Block block = block_of(1.25);
  for (std::size_t i = 0; i < 4; ++i) {
    block.windows[i].host_ns *= std::exp(0.01 * static_cast<double>(i));
  }
  EXPECT_NEAR(block.log_ratio(), std::log(1.25), 1e-12);
}

TEST(Block, TheOrderDoesNotMatterAndExchangingTheArmsChangesTheSign) {
  EXPECT_NEAR(block_of(1.25, "BAAB").log_ratio(), std::log(1.25), 1e-12);
  EXPECT_NEAR(block_of(1 / 1.25).log_ratio(), -block_of(1.25).log_ratio(), 1e-12);
}

TEST(Estimate, OneWindowThatDoesNotCountTakesItsBlockAlong) {
  std::vector<Block> blocks = blocks_of(1.1);
  blocks[3].windows[2].throttle = {"hw_thermal"};
  blocks[3].windows[2].host_ns *= 50;
  const Estimate found = estimate(blocks, 0.95);
  EXPECT_EQ(found.blocks, 11);
  EXPECT_EQ(found.excluded.at("throttled"), 1);
  EXPECT_EQ(found.blocks_tried(), 12);
  EXPECT_LT(*found.high, 1.11);
}

TEST(Estimate, OfTooFewBlocksHasNoInterval) {
  EXPECT_FALSE(estimate({}, 0.95).ratio.has_value());
  EXPECT_FALSE(estimate(blocks_of(1.1, 5), 0.95).ratio.has_value());
  EXPECT_FALSE(estimate({}, 0.95).precise(8, 0.01));
}

TEST(Estimate, AsManyBlocksAsAnIntervalTakesHaveOne) {
  for (const double confidence : {0.8, 0.9, 0.95, 0.99}) {
    const int blocks = blocks_for_interval(confidence);
    EXPECT_TRUE(estimate(blocks_of(1.1, blocks), confidence).ratio.has_value()) << confidence;
    EXPECT_FALSE(estimate(blocks_of(1.1, blocks - 1), confidence).ratio.has_value()) << confidence;
  }
}

TEST(Estimate, HoldsItsRatioAndStatesWhatItWouldHaveSeen) {
  const Estimate found = estimate(blocks_of(1.1), 0.95);
  EXPECT_NEAR(*found.ratio, 1.1, 1e-3);
  EXPECT_LT(*found.low, 1.1);
  EXPECT_GT(*found.high, 1.1);
  EXPECT_NEAR(found.smallest_effect / found.half_width, 2.8 / 1.96, 1e-12);
}

TEST(Estimate, PreciseTakesBothTheBlocksAndTheWidth) {
  EXPECT_TRUE(estimate(blocks_of(1.1, 8), 0.95).precise(8, 0.01));
  EXPECT_FALSE(estimate(blocks_of(1.1, 7), 0.95).precise(8, 0.01));
  EXPECT_FALSE(estimate(blocks_of(1.1, 8, 0.05), 0.95).precise(8, 0.01));
}

}  // namespace
}  // namespace twinrun::harness
