#include "trainer/data/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "tests/trainer/data/schedule_reference.h"

namespace twinrun::trainer {
namespace {

TEST(Schedule, FollowsTransformers) {
  for (const ScheduleReference& reference : kScheduleReferences) {
    const Schedule schedule{schedule_from_name(reference.name).value(), reference.base_lr,
                            reference.warmup_steps, reference.total_steps};
    ASSERT_EQ(static_cast<std::int64_t>(reference.rates.size()), reference.total_steps);
    for (std::int64_t step = 1; step <= reference.total_steps; ++step) {
      const double expected = reference.rates[static_cast<std::size_t>(step - 1)];
      const double rate = schedule.learning_rate(step);
      const bool near = std::abs(rate - expected) <= 1e-15 * expected ||
                        std::abs(rate - expected) <= 1e-15 * reference.base_lr;
      EXPECT_TRUE(near) << reference.name << " step " << step << ": " << rate << " for "
                        << expected;
    }
  }
}

TEST(Schedule, StartsAtZeroWithWarmUp) {
  const Schedule schedule{ScheduleName::kCosine, 2e-4, 2, 10};
  EXPECT_EQ(schedule.learning_rate(1), 0.0);
  EXPECT_EQ(schedule.learning_rate(2), 1e-4);
  EXPECT_EQ(schedule.learning_rate(3), 2e-4);
}

TEST(Schedule, KnowsItsNames) {
  EXPECT_EQ(schedule_from_name("constant"), ScheduleName::kConstant);
  EXPECT_EQ(schedule_from_name("linear"), ScheduleName::kLinear);
  EXPECT_EQ(schedule_from_name("cosine"), ScheduleName::kCosine);
  EXPECT_EQ(schedule_from_name("Cosine"), std::nullopt);
}

TEST(PortableCos, IsWithinOneUlpOfTheTrueCosine) {
  constexpr int kPoints = 200000;
  double worst = 0;
  for (int i = 0; i <= kPoints; ++i) {
    const double x = std::min(std::numbers::pi * i / kPoints, std::numbers::pi);
    const long double exact = cosl(static_cast<long double>(x));
    const double magnitude = std::abs(static_cast<double>(exact));
    const double ulp = std::nextafter(magnitude, 2.0) - magnitude;
    worst = std::max(worst, static_cast<double>(std::abs(portable_cos(x) - exact)) / ulp);
  }
  EXPECT_LE(worst, 1.0);
}

// Frozen bits: the same on every machine, compiler and optimisation level.
TEST(PortableCos, HasFrozenBits) {
  std::uint64_t mixed = 0;
  for (int i = 0; i <= 4096; ++i) {
    const double x = std::min(std::numbers::pi * i / 4096, std::numbers::pi);
    mixed = std::rotl(mixed, 5) ^ std::bit_cast<std::uint64_t>(portable_cos(x));
  }
  EXPECT_EQ(portable_cos(0.0), 1.0);
  EXPECT_EQ(portable_cos(std::numbers::pi), -1.0);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(portable_cos(std::numbers::pi / 2)), 0x3c91a62633145c07u);
  EXPECT_EQ(mixed, 17206502298767200303u);
}

TEST(BetaPowers, AreRunningProducts) {
  BetaPowers powers(0.999);
  double product = 1;
  for (int step = 1; step <= 1000; ++step) {
    product *= 0.999;
    EXPECT_EQ(powers.next(), product);
  }
}

TEST(BetaPowers, RestoredTheyGoOn) {
  BetaPowers whole(0.999), restored(0.999);
  EXPECT_EQ(whole.power(), 1);
  for (int step = 1; step <= 10; ++step) whole.next();
  restored.restore(whole.power());
  EXPECT_EQ(restored.next(), whole.next());
}

}  // namespace
}  // namespace twinrun::trainer
