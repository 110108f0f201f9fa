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

/// A run and its control, both altered by `both`, the control by `other` as well.
ControlOutcome seed_control_of(const Change& both, const Change& other) {
  const test::TempFolder folder;
  const auto run = run_in(folder.path() / "a", 4, both);
  const auto control = run_in(folder.path() / "c", 4, [&](auto& made) {
    plus_one(made);
    both(made);
    other(made);
  });
  return control_seed_plus_one(run, control);
}

/// `lora.init` and dropout 0: only the order of the samples hangs on a seed.
void give_adapter(SyntheticRun& run) {
  run.config.identity["lora"] = {{"dropout", 0.0}, {"init", {{"adapter_config.json", "aa"}}}};
}

void keep_adapter(SyntheticRun& run) { run.record.zero = SyntheticRun(4).record.zero; }

/// What a trainer writes that no seed reaches from step `from` (0-based) to `end` on.
void ignore_seeds(SyntheticRun& run, std::size_t from = 0, std::size_t end = 2) {
  const SyntheticRun plain(4);
  keep_adapter(run);
  for (std::size_t i = from; i < end; ++i) run.record.steps[i] = plain.record.steps[i];
}

Change with_samples(nlohmann::json samples) {
  return [samples](SyntheticRun& run) { run.manifest["data"] = {{"samples", samples}}; };
}

TEST(SeedPlusOneControlTest, AnAdapterThatIsGivenHangsOnNoSeed) {
  EXPECT_TRUE(seed_control_of(give_adapter, keep_adapter).passed);
  const auto seeded = seed_control_of(give_adapter, [](auto&) {});
  EXPECT_TRUE(seeded.ran);
  EXPECT_FALSE(seeded.passed);
  EXPECT_NE(seeded.message.find("lora.init"), std::string::npos) << seeded.message;
}

TEST(SeedPlusOneControlTest, TheSameFirstBatchHasTheSameGradient) {
  const auto outcome = seed_control_of(give_adapter, [](auto& run) { ignore_seeds(run, 0, 1); });
  EXPECT_TRUE(outcome.ran && outcome.passed) << outcome.message;
}

TEST(SeedPlusOneControlTest, TheSameSamplesInAnotherOrderMayHaveTheSameGradient) {
  const auto outcome = seed_control_of(give_adapter, [](auto& run) {
    ignore_seeds(run);
    std::swap(run.record.steps[0].samples[0], run.record.steps[0].samples[1]);
    run.record.steps[0].batch[0] ^= 1;
  });
  EXPECT_TRUE(outcome.ran && outcome.passed) << outcome.message;
}

TEST(SeedPlusOneControlTest, OtherSamplesNeedAnotherGradient) {
  const auto other_samples = [](bool equal_texts) {
    return seed_control_of(give_adapter, [=](auto& run) {
      ignore_seeds(run);
      run.record.steps[1].samples[0] = 77;
      if (!equal_texts) run.record.steps[1].batch[0] ^= 1;
    });
  };
  const auto outcome = other_samples(false);
  EXPECT_TRUE(outcome.ran);
  EXPECT_FALSE(outcome.passed);
  EXPECT_NE(outcome.message.find("gradient in step 2"), std::string::npos) << outcome.message;
  EXPECT_TRUE(other_samples(true).passed);
}

TEST(SeedPlusOneControlTest, DropoutNeedsAnotherGradientWhateverTheSamples) {
  for (const auto& dropout : {nlohmann::json(0.05), nlohmann::json()}) {
    const auto outcome = seed_control_of(
        [&](auto& run) {
          give_adapter(run);
          run.config.identity["lora"]["dropout"] = dropout;
          with_samples(1)(run);
        },
        [](auto& run) { ignore_seeds(run); });
    EXPECT_TRUE(outcome.ran);
    EXPECT_FALSE(outcome.passed);
  }
}

TEST(SeedPlusOneControlTest, WhereNoSeedActsItCouldShowNothingAndIsNotGreen) {
  for (const int samples : {1, 2, 6, 10}) {  // 10: 151,200 orders of the six that are taken
    const auto outcome = seed_control_of(
        [&](auto& run) {
          give_adapter(run);
          with_samples(samples)(run);
        },
        [](auto& run) { ignore_seeds(run); });
    EXPECT_FALSE(outcome.ran) << samples;
    EXPECT_FALSE(outcome.passed) << samples;
    EXPECT_NE(outcome.message.find("could show nothing"), std::string::npos) << outcome.message;
  }
}

TEST(SeedPlusOneControlTest, ATrainerThatIgnoresItsSeedsFailsWhereTheOrderIsNoChance) {
  for (const auto& samples : {nlohmann::json(), nlohmann::json(0), nlohmann::json("1"),
                              nlohmann::json(-1), nlohmann::json(15), nlohmann::json(~0ull)}) {
    const auto outcome = seed_control_of(
        [&](auto& run) {
          give_adapter(run);
          with_samples(samples)(run);
        },
        [](auto& run) { ignore_seeds(run); });
    EXPECT_TRUE(outcome.ran) << samples;
    EXPECT_FALSE(outcome.passed) << samples;
    EXPECT_NE(outcome.message.find("same samples"), std::string::npos) << outcome.message;
  }
}

// B is zero, and with warm-up it is zero still after step 1: no loss can see the adapter.
TEST(SeedPlusOneControlTest, OfOneSampleASeededAdapterAndItsGradientHaveToDo) {
  const auto same_losses = [](SyntheticRun& run) {
    const SyntheticRun plain(4);
    for (int i : {0, 1}) {
      run.record.steps[i].loss = plain.record.steps[i].loss;
      run.record.steps[i].samples = plain.record.steps[i].samples;
    }
  };
  EXPECT_TRUE(seed_control_of(with_samples(1), same_losses).passed);
  EXPECT_FALSE(seed_control_of(with_samples(1000), same_losses).passed);
  for (const bool same_adapter : {true, false}) {
    const auto outcome = seed_control_of(with_samples(1), [&](auto& run) {
      if (same_adapter) keep_adapter(run);
      if (!same_adapter) run.record.steps[0].grad = SyntheticRun(4).record.steps[0].grad;
      same_losses(run);
    });
    EXPECT_TRUE(outcome.ran);
    EXPECT_FALSE(outcome.passed);
  }
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
