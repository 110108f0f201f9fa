#include "harness/calibrate/envelope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace twinrun::harness {
namespace {

TEST(EnvelopeTest, IsTheMedianAndTheDeviationOfEachStep) {
  const ChannelEnvelope envelope = make_envelope({{1, 5}, {2, 5}, {6, 5}});
  EXPECT_EQ(envelope.centre, (std::vector<double>{2, 5}));
  EXPECT_DOUBLE_EQ(envelope.width[0], std::sqrt(7.0));
  // Nothing scatters: half of what a float32 near 5 is apart from the next, 2^-21.
  EXPECT_EQ(envelope.width[1], 0x1p-22);
  EXPECT_EQ(make_envelope({{1}, {2}, {3}, {10}}).centre[0], 2.5);
}

TEST(EnvelopeTest, EachPartFindsWhatItIsFor) {
  const ChannelEnvelope envelope{{0, 0, 0, 0}, {1, 1, 1, 1}};
  const ChannelScore peak = score_channel(envelope, {0, 0, 7, 0});
  EXPECT_EQ(peak.part, "spread");  // sqrt(49 / 4) / 1.3 = 2.69 against 7 / 3.5 = 2
  EXPECT_DOUBLE_EQ(peak.score, 3.5 / 1.3);
  EXPECT_EQ(peak.index, 2u);
  const ChannelScore spread = score_channel(envelope, {2, -2, 2, -2});
  EXPECT_EQ(spread.part, "spread");
  EXPECT_DOUBLE_EQ(spread.score, 2 / 1.3);
  const ChannelEnvelope longer{std::vector<double>(36, 0), std::vector<double>(36, 1)};
  const ChannelScore drift = score_channel(longer, std::vector<float>(36, 1));
  EXPECT_EQ(drift.part, "drift");
  EXPECT_DOUBLE_EQ(drift.score, 2);
  std::vector<float> jump(36, 0);
  jump[30] = -14;
  EXPECT_EQ(score_channel(longer, jump).part, "peak");
  EXPECT_DOUBLE_EQ(score_channel(longer, jump).score, 4);
  EXPECT_EQ(score_channel(longer, jump).index, 30u);
}

TEST(EnvelopeTest, WhatIsNotFiniteScoresInfinity) {
  const ChannelEnvelope envelope{{0, 0}, {1, 1}};
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const ChannelScore found = score_channel(envelope, {0, value});
    EXPECT_EQ(found.score, std::numeric_limits<double>::infinity());
    EXPECT_EQ(found.part, "non-finite");
    EXPECT_EQ(found.index, 1u);
  }
}

}  // namespace
}  // namespace twinrun::harness
