#include "harness/report/curves.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/harness/synthetic_run.h"

namespace twinrun::harness {
namespace {

using test::SyntheticRecord;

class Curves : public testing::Test {
 protected:
  LossCurves read(const SyntheticRecord& a, const SyntheticRecord& b, std::int64_t steps) {
    return read_curves(folder_.write("a.jsonl", a.text()), folder_.write("b.jsonl", b.text()),
                       steps);
  }
  test::TempFolder folder_;
};

TEST_F(Curves, EqualRecordsDoNotDiffer) {
  const SyntheticRecord record(10);
  const LossCurves curves = read(record, record, 10);
  EXPECT_EQ(curves.steps, 10);
  EXPECT_EQ(curves.differing, 0);
  EXPECT_FALSE(curves.first_differing);
  ASSERT_EQ(curves.buckets.size(), 10u);
  EXPECT_EQ(curves.samples.size(), 2u);
}

TEST_F(Curves, OneStepOfMany) {
  const SyntheticRecord a(3'001);
  SyntheticRecord b = a;
  b.steps[1'700].loss = std::nextafter(b.steps[1'700].loss, 9.0f);
  const LossCurves curves = read(a, b, 3'001);
  EXPECT_EQ(curves.first_differing, 1'701);
  EXPECT_EQ(curves.differing, 1);
  EXPECT_EQ(curves.ulps_max, 1u);
  std::int64_t buckets = 0, next = 1;
  for (const LossBucket& bucket : curves.buckets) {
    EXPECT_EQ(bucket.first_step, next);
    next = bucket.last_step + 1;
    buckets += bucket.differing;
  }
  EXPECT_EQ(next, 3'002) << "every step is in one bucket";
  EXPECT_EQ(buckets, 1);
  EXPECT_EQ(static_cast<std::int64_t>(curves.buckets.size()), kCurveBuckets);
}

TEST_F(Curves, ASpikeSurvives) {
  SyntheticRecord a(5'000);
  a.steps[2'222].loss = 1e6f;
  a.steps[2'223].loss = -1e6f;
  const LossCurves curves = read(a, a, 5'000);
  float low = 0, high = 0;
  for (const LossBucket& bucket : curves.buckets) {
    low = std::min(low, bucket.a.low);
    high = std::max(high, bucket.a.high);
  }
  EXPECT_EQ(low, -1e6f);
  EXPECT_EQ(high, 1e6f);
}

TEST_F(Curves, BitsCountNotValues) {
  SyntheticRecord a(4), b(4);
  a.steps[1].loss = 0.0f;
  b.steps[1].loss = -0.0f;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  a.steps[2].loss = b.steps[2].loss = nan;
  b.steps[3].loss = std::numeric_limits<float>::infinity();
  const LossCurves curves = read(a, b, 4);
  EXPECT_EQ(curves.first_differing, 2) << "-0.0 is not 0.0";
  EXPECT_EQ(curves.differing, 2) << "one NaN is the other, infinity is not finite";
  EXPECT_EQ(curves.not_finite, 2);
  EXPECT_FALSE(curves.samples.back().ulps);
}

TEST_F(Curves, StepsThatAreNotThereAreAnError) {
  const SyntheticRecord record(3);
  EXPECT_THROW(read(record, record, 4), std::runtime_error);
}

TEST_F(Curves, NoStepIsNoCurve) {
  const SyntheticRecord record(0);
  const LossCurves curves = read(record, record, 0);
  EXPECT_TRUE(curves.buckets.empty());
  EXPECT_NE(curves_sentence(curves).find("there is no loss to draw"), std::string::npos);
}

}  // namespace
}  // namespace twinrun::harness
