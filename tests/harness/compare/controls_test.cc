#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <set>

#include "harness/compare/compare.h"
#include "tests/harness/synthetic_run.h"

namespace twinrun::harness {
namespace {

using test::SyntheticRun;
using Change = std::function<void(SyntheticRun&)>;

RunView run_in(const std::filesystem::path& dir, std::int64_t steps, const Change& change = {}) {
  SyntheticRun run(steps, dir.filename());
  if (change) change(run);
  run.write(dir);
  return read_run(dir);
}

TEST(PlantedUlpControlTest, IsFoundAtTheStepThatTheSeedDraws) {
  const test::TempFolder folder;
  const auto run = run_in(folder.path() / "a", 500);
  std::set<std::int64_t> steps;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto outcome = control_planted_ulp(run, seed);
    EXPECT_TRUE(outcome.ran && outcome.passed) << outcome.message;
    EXPECT_EQ(outcome.details["seed"], seed);
    EXPECT_EQ(outcome.details["found"]["step"], outcome.details["planted_step"]);
    EXPECT_EQ(outcome.details["found"]["ulps"], 1);
    steps.insert(outcome.details["planted_step"].get<std::int64_t>());
  }
  EXPECT_GT(steps.size(), 40u);
  EXPECT_GE(*steps.begin(), 1);
  EXPECT_LE(*steps.rbegin(), 500);
  EXPECT_EQ(control_planted_ulp(run, 7).details, control_planted_ulp(run, 7).details);
}

TEST(PlantedUlpControlTest, TheFirstAndTheOnlyStepCanBeDrawn) {
  const test::TempFolder folder;
  EXPECT_TRUE(control_planted_ulp(run_in(folder.path() / "a", 1), 3).passed);
}

TEST(PlantedUlpControlTest, FailsWhereTheChangeIsNotFound) {
  const test::TempFolder folder;
  auto run = run_in(folder.path() / "a", 3);
  run.summary.last_step = 1000;  // draws a step that the file does not have
  const auto outcome = control_planted_ulp(run, 1);
  EXPECT_TRUE(outcome.ran);
  EXPECT_FALSE(outcome.passed);
}

TEST(PlantedUlpControlTest, AnEmptyRecordLeavesItUnrun) {
  const test::TempFolder folder;
  const auto outcome = control_planted_ulp(run_in(folder.path() / "a", 0), 1);
  EXPECT_FALSE(outcome.ran);
  EXPECT_FALSE(outcome.passed);
}

TEST(PlantedUlpControlTest, ALossThatIsNotFiniteIsTellableToo) {
  const test::TempFolder folder;
  const auto run = run_in(folder.path() / "a", 1, [](auto& made) {
    made.record.steps[0].loss = std::numeric_limits<float>::quiet_NaN();
  });
  EXPECT_TRUE(control_planted_ulp(run, 1).passed);
}

/// What a trainer makes of other seeds.
void plus_one(SyntheticRun& run) {
  run.config.identity["seed"] = 43;
  run.config.identity["seeds"] = {{"lora_init", 43}, {"dropout", 2}, {"shuffle", 3}};
  run.manifest["seeds"] = run.config.identity["seeds"];
  run.config.launch["stop_after"] = 2;
  run.record.steps.resize(2);
  run.record.end.steps = 2;
  run.record.zero.adapter[0] ^= 1;
  for (auto& step : run.record.steps) {
    step.grad[0] ^= 1;
    step.loss += 1;
    step.samples.pop_back();
  }
}

ControlOutcome seed_control(const Change& change) {
  const test::TempFolder folder;
  const auto run = run_in(folder.path() / "a", 4);
  const auto control = run_in(folder.path() / "c", 4, [&change](auto& made) {
    plus_one(made);
    if (change) change(made);
  });
  return control_seed_plus_one(run, control);
}

TEST(SeedPlusOneControlTest, PassesWhereTheSeedsMatter) {
  const auto outcome = seed_control({});
  EXPECT_TRUE(outcome.ran && outcome.passed) << outcome.message;
}

TEST(SeedPlusOneControlTest, NeedsAdapterGradientAndSamplesOrLossToDiffer) {
  const SyntheticRun plain(4);
  EXPECT_FALSE(seed_control([&](auto& run) { run.record.zero = plain.record.zero; }).passed);
  EXPECT_FALSE(seed_control([&](auto& run) {
                 run.record.steps[0].grad = plain.record.steps[0].grad;
               }).passed);
  const Change same_samples = [&](auto& run) {
    for (int i : {0, 1}) run.record.steps[i].samples = plain.record.steps[i].samples;
  };
  const Change same_loss = [&](auto& run) {
    for (int i : {0, 1}) run.record.steps[i].loss = plain.record.steps[i].loss;
  };
  EXPECT_TRUE(seed_control(same_samples).passed);
  EXPECT_TRUE(seed_control(same_loss).passed);
  EXPECT_FALSE(seed_control([&](auto& run) {
                 same_samples(run);
                 same_loss(run);
               }).passed);
}

TEST(SeedPlusOneControlTest, AnAdapterThatIsGivenHangsOnNoSeed) {
  const SyntheticRun plain(4);
  const auto control = [&](bool same_adapter, bool same_grad) {
    const test::TempFolder folder;
    const auto give = [](auto& made) {
      made.config.identity["lora"] = {{"init", {{"adapter_config.json", "aa"}}}};
    };
    const auto run = run_in(folder.path() / "a", 4, give);
    const auto other = run_in(folder.path() / "c", 4, [&](auto& made) {
      plus_one(made);
      give(made);
      if (same_adapter) made.record.zero = plain.record.zero;
      if (same_grad) made.record.steps[0].grad = plain.record.steps[0].grad;
    });
    return control_seed_plus_one(run, other);
  };
  EXPECT_TRUE(control(true, false).passed);
  EXPECT_FALSE(control(true, true).passed);
  const auto seeded = control(false, false);
  EXPECT_FALSE(seeded.passed);
  EXPECT_NE(seeded.message.find("lora.init"), std::string::npos) << seeded.message;
}

TEST(SeedPlusOneControlTest, RefusesAnIdentityThatDiffersInMore) {
  for (const Change& change : std::vector<Change>{
           [](auto& run) { run.config.identity["extra"] = 1; },
           [](auto& run) { run.config.identity["train"]["lr"] = 1; },
           [](auto& run) { run.config.identity["seed"] = 44; },
           [](auto& run) {
             run.config.identity["seeds"]["dropout"] = run.manifest["seeds"]["dropout"] = 1;
           }}) {
    const auto outcome = seed_control(change);
    EXPECT_TRUE(outcome.ran);
    EXPECT_FALSE(outcome.passed);
    EXPECT_NE(outcome.message.find("identity"), std::string::npos) << outcome.message;
  }
}

TEST(SeedPlusOneControlTest, SeedsWrapBelowTwoToThe53) {
  const test::TempFolder folder;
  const auto seeds = [](SyntheticRun& run, std::uint64_t seed) {
    run.config.identity["seed"] = seed;
    run.config.identity["seeds"]["lora_init"] = run.manifest["seeds"]["lora_init"] = seed;
  };
  const auto run = run_in(folder.path() / "a", 4,
                          [&](auto& made) { seeds(made, (std::uint64_t{1} << 53) - 1); });
  const auto control = run_in(folder.path() / "c", 4, [&](auto& made) {
    plus_one(made);
    seeds(made, 0);
  });
  EXPECT_TRUE(control_seed_plus_one(run, control).passed);
}

TEST(SeedPlusOneControlTest, ABrokenControlFailsAndAMissingOneDoesNotRun) {
  const test::TempFolder folder;
  const auto run = run_in(folder.path() / "a", 4);
  const auto missing = control_seed_plus_one(run, read_run(folder.path() / "none"));
  EXPECT_FALSE(missing.ran);
  EXPECT_FALSE(missing.passed);
  const auto failed = seed_control([](auto& made) { made.manifest["status"] = "failed"; });
  EXPECT_TRUE(failed.ran);
  EXPECT_FALSE(failed.passed);
}

TEST(AdapterMovedControlTest, EveryAdapterHasToMove) {
  const test::TempFolder folder;
  const auto good = run_in(folder.path() / "a", 2);
  const auto still = run_in(folder.path() / "b", 2, [](auto& made) {
    made.record.steps.back().adapter = made.record.zero.adapter;
  });
  EXPECT_TRUE(control_adapter_moved({good, good}).passed);
  EXPECT_TRUE(control_adapter_moved({good, still}).ran);
  EXPECT_FALSE(control_adapter_moved({good, still}).passed);
  EXPECT_FALSE(control_adapter_moved({}).passed);
  EXPECT_FALSE(control_adapter_moved({good, run_in(folder.path() / "c", 0)}).ran);
}

TEST(BaseUnmovedControlTest, NoBaseMayMove) {
  const test::TempFolder folder;
  const auto good = run_in(folder.path() / "a", 2);
  const auto moved =
      run_in(folder.path() / "b", 2, [](auto& made) { made.record.end.base[0] ^= 1; });
  EXPECT_TRUE(control_base_unmoved({good, good}).passed);
  EXPECT_FALSE(control_base_unmoved({moved, good}).passed);
  EXPECT_FALSE(control_base_unmoved({}).ran);
  auto cut = good;
  cut.summary.end.reset();
  EXPECT_FALSE(control_base_unmoved({good, cut}).ran);
}

}  // namespace
}  // namespace twinrun::harness
