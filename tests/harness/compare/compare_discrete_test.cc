// Runs whose trainer promises no bits: what no rounding moves has to be the same all the same.

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "harness/compare/compare.h"
#include "tests/harness/synthetic_run.h"

namespace twinrun::harness {
namespace {

using test::SyntheticRun;
using Change = std::function<void(SyntheticRun&)>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Two runs without promise that differ by rounding, and by what `change_b` and `change_both` say.
Comparison compare(const Change& change_b, const Change& change_both = {}, std::int64_t steps = 4,
                   Machines machines = Machines::kAlike) {
  const test::TempFolder folder;
  SyntheticRun a(steps, "run-a"), b(steps, "run-b");
  for (auto& step : b.record.steps) {
    step.loss = std::nextafter(step.loss, kInfinity);
    step.grad_norm = std::nextafter(step.grad_norm, kInfinity);
    for (auto* digest : {&step.grad, &step.adapter, &step.optimizer}) {
      *digest = protocol::sha256(protocol::to_hex(*digest));
    }
  }
  for (auto* run : {&a, &b}) {
    run->record.header.promise = protocol::Promise::kNone;
    run->manifest["switches"] = {{"tf32", false}};
    if (change_both) change_both(*run);
  }
  if (change_b) change_b(b);
  a.write(folder.path() / "a");
  b.write(folder.path() / "b");
  const RunView view_a = read_run(folder.path() / "a");
  const Comparison found = compare_runs(view_a, read_run(folder.path() / "b", &view_a), machines);
  EXPECT_EQ(found.verdict, compare_runs(read_run(folder.path() / "b"), view_a, machines).verdict);
  return found;
}

TEST(CompareDiscreteTest, RoundingAloneIsNoDifference) {
  for (const std::int64_t steps : {1, 4, 2000}) {
    const Comparison found = compare({}, {}, steps);
    EXPECT_EQ(found.verdict, Verdict::kReproduced);
    EXPECT_EQ(found.reason, "discrete_equal");
    EXPECT_EQ(found.steps_compared, steps);
    EXPECT_EQ(found.comparisons, 5 + 4 + 6 * steps + 2);
  }
}

/// Another device with a generator of its own.
void other_machine(SyntheticRun& run) {
  run.manifest["device"] = {{"type", "cuda"}, {"name", "another"}};
  run.manifest["switches"] = {{"tf32", true}};
  run.record.header.arithmetic = "another/1";
  run.record.header.promise = protocol::Promise::kBitwise;
  run.record.zero.rng = protocol::sha256("another generator");
  for (auto& step : run.record.steps) step.rng = protocol::sha256("another generator");
}

TEST(CompareDiscreteTest, AnotherMachineMovesItsOwnStateAloneAcrossMachines) {
  EXPECT_EQ(compare(other_machine).reason, "not_comparable");
  EXPECT_EQ(compare(other_machine, {}, 4, Machines::kAcross).reason, "discrete_equal");
  const Comparison found = compare(
      [](SyntheticRun& run) {
        other_machine(run);
        run.record.steps[2].batch = protocol::sha256("another batch");
      },
      {}, 4, Machines::kAcross);
  EXPECT_EQ(found.reason, "discrete_differs");
  ASSERT_TRUE(found.first);
  EXPECT_EQ(found.first->step, 3);
  EXPECT_EQ(found.first->field, "batch");
  EXPECT_EQ(
      compare([](SyntheticRun& run) { run.config.identity["seed"] = 43; }, {}, 4, Machines::kAcross)
          .reason,
      "not_comparable");
}

TEST(CompareDiscreteTest, WhatNoRoundingMovesIsFoundAtItsStep) {
  const auto other = protocol::sha256("other");
  const auto at_step_3 = [](const std::function<void(protocol::StepRecord&)>& change) -> Change {
    return [change](SyntheticRun& run) { change(run.record.steps[2]); };
  };
  struct Case {
    std::int64_t step;
    std::string field;
    Change change;
  };
  const std::vector<Case> cases = {
      {0, "adapter", [&](auto& run) { run.record.zero.adapter = other; }},
      {0, "rng", [&](auto& run) { run.record.zero.rng = other; }},
      {0, "base", [&](auto& run) { run.record.zero.base = run.record.end.base = other; }},
      {3, "samples", at_step_3([](auto& step) { std::swap(step.samples[0], step.samples[1]); })},
      {3, "batch", at_step_3([&](auto& step) { step.batch = other; })},
      {3, "tokens", at_step_3([](auto& step) { ++step.tokens; })},
      {3, "loss_tokens", at_step_3([](auto& step) { --step.loss_tokens; })},
      {3, "lr", at_step_3([](auto& step) { step.lr = std::nextafter(step.lr, 1); })},
      {3, "rng", at_step_3([&](auto& step) { step.rng = other; })},
      {3, "loss", at_step_3([](auto& step) { step.loss = kNan; })},
      {3, "grad_norm", at_step_3([](auto& step) { step.grad_norm = kInfinity; })},
      {4, "base", [&](auto& run) { run.record.end.base = other; }},
      {0, "switches/tf32", [](auto& run) { run.manifest["switches"]["tf32"] = true; }},
      {0, "switches", [](auto& run) { run.manifest.erase("switches"); }}};
  for (const Case& wanted : cases) {
    const Comparison found = compare(wanted.change);
    EXPECT_EQ(found.verdict, Verdict::kNotReproduced) << wanted.field;
    EXPECT_EQ(found.reason, "discrete_differs");
    ASSERT_TRUE(found.first) << wanted.field;
    EXPECT_EQ(found.first->field.substr(0, wanted.field.size()), wanted.field);
    EXPECT_EQ(found.first->step, wanted.step) << wanted.field;
  }
}

TEST(CompareDiscreteTest, WhatIsNotFiniteInBothIsInvalidWhateverItsBits) {
  const Comparison found = compare([](auto& run) { run.record.steps[1].loss = kInfinity; },
                                   [](auto& run) { run.record.steps[1].loss = kNan; });
  EXPECT_EQ(found.verdict, Verdict::kInvalid);
  EXPECT_EQ(found.reason, "non_finite");
}

TEST(CompareDiscreteTest, OneWithAPromiseAndOneWithoutIsNoPair) {
  const Comparison found =
      compare([](auto& run) { run.record.header.promise = protocol::Promise::kBitwise; });
  EXPECT_EQ(found.verdict, Verdict::kInvalid);
  EXPECT_EQ(found.reason, "different_length");
}

TEST(CompareDiscreteTest, WithoutStepsNothingIsConcluded) {
  EXPECT_EQ(compare({}, {}, 0).reason, "no_steps");
}

TEST(CompareDiscreteTest, ThePlantedUlpIsOneOfTheLearningRate) {
  const test::TempFolder folder;
  SyntheticRun run(40);
  run.record.header.promise = protocol::Promise::kNone;
  run.write(folder.path() / "a");
  const auto outcome = control_planted_ulp(read_run(folder.path() / "a"), 11);
  EXPECT_TRUE(outcome.ran);
  EXPECT_TRUE(outcome.passed) << outcome.message;
  EXPECT_EQ(outcome.details["found"]["field"], "lr");
}

}  // namespace
}  // namespace twinrun::harness
