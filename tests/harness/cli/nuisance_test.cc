#include "harness/cli/nuisance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace twinrun::harness {
namespace {

using testing::Pair;
using testing::UnorderedElementsAre;

TEST(NuisanceOfRun, NeighboursDifferInEveryPart) {
  for (int i = 0; i < 26; ++i) {
    const Nuisance x = nuisance_of_run(i), y = nuisance_of_run(i + 1);
    EXPECT_NE(x.tz, y.tz) << i;
    EXPECT_NE(x.locale, y.locale) << i;
    EXPECT_NE(x.umask, y.umask) << i;
    EXPECT_NE(x.hash_seed, y.hash_seed) << i;
    EXPECT_NE(x.gpu_memory_offset_mb, y.gpu_memory_offset_mb) << i;
  }
}

TEST(NuisanceOfRun, IsTheSameForTheSameRun) {
  EXPECT_EQ(nuisance_of_run(3).to_json(), nuisance_of_run(3).to_json());
}

TEST(NuisanceOfRun, NeverTakesARunAwayFromItsOwner) {
  for (int i = 0; i < 26; ++i) EXPECT_EQ(nuisance_of_run(i).umask & 0700, 0u) << i;
}

TEST(Nuisance, IsRecordedAsItIsApplied) {
  Nuisance nuisance{"Asia/Kathmandu", "C.UTF-8", 027, 7, 64};
  EXPECT_EQ(nuisance.to_json(), nlohmann::json({{"tz", "Asia/Kathmandu"},
                                                {"locale", "C.UTF-8"},
                                                {"umask", "027"},
                                                {"hash_seed", 7},
                                                {"gpu_memory_offset_mb", 64}}));
  EXPECT_THAT(nuisance.environment(),
              UnorderedElementsAre(Pair("TZ", "Asia/Kathmandu"), Pair("LC_ALL", "C.UTF-8"),
                                   Pair("PYTHONHASHSEED", "7")));
}

}  // namespace
}  // namespace twinrun::harness
