#include "harness/baseline/baseline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/harness/baseline/curve_fixture.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

void expect(const BaselineReport& found, Verdict verdict, const std::string& reason) {
  EXPECT_EQ(to_string(found.check.verdict), to_string(verdict)) << found.check.message;
  EXPECT_EQ(found.check.reason, reason) << found.check.message;
  EXPECT_EQ(found.check.name, "baseline");
}

/// The machine of a run, in the fields of the key.
RunChange on_machine(const std::string& gpu, const std::string& torch = "2.11.0") {
  return [=](test::SyntheticRun& run) {
    run.manifest["device"] = {{"type", "cuda"}, {"name", gpu}};
    run.manifest["versions"]["torch"] = torch;
  };
}

RunChange portable_on(const std::string& gpu) {
  return [=](test::SyntheticRun& run) {
    on_machine(gpu)(run);
    run.config.identity["numerics"] = run.manifest["numerics"] = "portable";
    run.record.header.arithmetic = "portable-f32/1";
  };
}

RunChange stopping_after(std::int64_t steps) {
  return [=](test::SyntheticRun& run) {
    run.config.launch["stop_after"] = steps;
    run.record.steps.resize(static_cast<std::size_t>(steps));
    run.record.end.steps = steps;
  };
}

TEST(CheckBaseline, AnEqualRunIsReproduced) {
  const CurveFolder folder;
  const fs::path file = folder.freeze();
  const BaselineReport found = folder.check();
  expect(found, Verdict::kReproduced, "bitwise");
  EXPECT_EQ(found.file, file);
  EXPECT_EQ(found.steps_compared, 6);
  EXPECT_EQ(found.curve_steps, 6);
  EXPECT_EQ(found.comparisons, 5 + 4 + 6 * 11 + 2);
  EXPECT_FALSE(found.first);
  EXPECT_EQ(found.fingerprint, file.stem().string());
  EXPECT_EQ(found.sha256, protocol::to_hex(protocol::sha256_file(file)));
  EXPECT_EQ(found.head, read_curve(file).description.at("head"));
}

TEST(CheckBaseline, ADifferenceInAnyStepIsShownWithStepFieldAndBits) {
  for (std::size_t at = 0; at < 6; ++at) {
    const CurveFolder folder;
    folder.freeze([at](auto& run) { run.record.steps[at].loss = 2.5f; });
    const BaselineReport found =
        folder.check([at](auto& run) { run.record.steps[at].loss = std::nextafter(2.5f, 3.0f); });
    expect(found, Verdict::kNotReproduced, "baseline_differs");
    ASSERT_TRUE(found.first);
    EXPECT_EQ(found.first->step, static_cast<std::int64_t>(at) + 1);
    EXPECT_EQ(found.first->field, "loss");
    EXPECT_EQ(found.first->bits_a, "40200001");
    EXPECT_EQ(found.first->bits_b, "40200000");
    EXPECT_EQ(found.first->ulps, 1u);
    EXPECT_TRUE(found.first->tensors.empty());
    EXPECT_THAT(found.check.message, HasSubstr("step " + std::to_string(at + 1)));
  }
}

TEST(CheckBaseline, ADifferenceBeforeTrainingOrInTheBaseIsShown) {
  const CurveFolder folder;
  folder.freeze();
  const BaselineReport zero = folder.check([](auto& run) { run.record.zero.adapter[0] ^= 1; });
  expect(zero, Verdict::kNotReproduced, "baseline_differs");
  EXPECT_EQ(zero.first->step, 0);
  EXPECT_EQ(zero.first->field, "adapter");
  const BaselineReport base = folder.check([](auto& run) { run.record.end.base[0] ^= 1; });
  expect(base, Verdict::kNotReproduced, "baseline_differs");
  EXPECT_EQ(base.first->field, "base");
}

TEST(CheckBaseline, AForgedCurveIsStillComparedBitForBit) {
  const CurveFolder folder;
  const fs::path file = folder.freeze();
  auto record = CurveFolder::record();
  record.steps[3].grad[31] ^= 1;
  CurveFolder::forge(file, record.lines());
  const BaselineReport found = folder.check();
  expect(found, Verdict::kNotReproduced, "baseline_differs");
  EXPECT_EQ(found.first->step, 4);
  EXPECT_EQ(found.first->field, "grad");
}

TEST(CheckBaseline, WhatMadeTheCurveIsSuspectedWhenBitsDiffer) {
  const CurveFolder folder;
  folder.freeze([](auto& run) { run.manifest["versions"]["driver"] = "older"; });
  const BaselineReport found = folder.check([](auto& run) { run.record.steps[1].lr = 7; });
  ASSERT_EQ(found.suspects.size(), 1u);
  EXPECT_EQ(found.suspects[0].field, "/driver");
  EXPECT_EQ(found.suspects[0].a, "1");
  EXPECT_EQ(found.suspects[0].b, "older");
  EXPECT_TRUE(folder.check().suspects.empty());
}

TEST(CheckBaseline, ADamagedCurveIsBrokenEvidenceAndNotCompared) {
  const CurveFolder folder;
  const fs::path file = folder.freeze();
  test::change_file(file, [](std::string text) {
    text[text.size() / 2] ^= 1;
    return text;
  });
  for (const bool missing_fails : {false, true}) {
    const BaselineReport found = folder.check({}, missing_fails);
    expect(found, Verdict::kEvidenceInvalid, "curve_replaced");
    EXPECT_EQ(found.comparisons, 0);
    EXPECT_THAT(found.check.message, HasSubstr(file.filename().string()));
  }
}

TEST(CheckBaseline, HalfACurveIsNotAMissingOne) {
  for (const bool record : {true, false}) {
    const CurveFolder folder;
    const fs::path file = folder.freeze();
    fs::remove(record ? file : description_of(file));
    expect(folder.check(), Verdict::kEvidenceInvalid,
           record ? "curve_missing" : "curve_description_missing");
  }
}

TEST(CheckBaseline, ACurveThatAnnouncesOtherStepsIsNotOfTheKey) {
  for (const std::int64_t steps : {5, 7}) {
    const CurveFolder folder;
    const fs::path file = folder.freeze();
    auto record = CurveFolder::record();
    record.header.steps = record.end.steps = steps;
    record.steps.resize(static_cast<std::size_t>(std::min<std::int64_t>(steps, 6)));
    if (steps == 7) record.steps.push_back(test::synthetic_step(7));
    CurveFolder::forge(file, record.lines());
    expect(folder.check(), Verdict::kEvidenceInvalid, "curve_key_mismatch");
  }
}

TEST(CheckBaseline, ARunWithMoreStepsThanTheCurveIsNotGreen) {
  const CurveFolder folder;
  const fs::path file = folder.freeze();
  auto record = CurveFolder::record();
  record.steps.resize(4);
  record.end.steps = 4;
  CurveFolder::forge(file, record.lines());
  expect(folder.check(), Verdict::kEvidenceInvalid, "curve_incomplete");
}

TEST(CheckBaseline, OfARunThatStopsEarlyTheCommonStepsAreCompared) {
  const CurveFolder folder;
  folder.freeze();
  for (const std::int64_t steps : {1, 5}) {
    const BaselineReport found = folder.check(stopping_after(steps));
    expect(found, Verdict::kReproduced, "bitwise_prefix");
    EXPECT_EQ(found.steps_compared, steps);
    EXPECT_EQ(found.curve_steps, 6);
    EXPECT_THAT(found.check.message,
                HasSubstr("first " + std::to_string(steps) + " of the baseline's 6 steps"));
  }
}

TEST(CheckBaseline, ARunThatStopsEarlyStillHasToBeEqualSoFar) {
  const CurveFolder folder;
  folder.freeze();
  const BaselineReport step = folder.check([](auto& run) {
    stopping_after(3)(run);
    run.record.steps[2].rng[5] ^= 4;
  });
  expect(step, Verdict::kNotReproduced, "baseline_differs");
  EXPECT_EQ(step.first->step, 3);
  EXPECT_EQ(step.first->field, "rng");
  const BaselineReport base = folder.check([](auto& run) {
    stopping_after(3)(run);
    run.record.end.base[5] ^= 4;
  });
  expect(base, Verdict::kNotReproduced, "baseline_differs");
  EXPECT_EQ(base.first->step, 3);
  EXPECT_EQ(base.first->field, "base");
}

TEST(CheckBaseline, NoStepIsNeverEqual) {
  const CurveFolder folder;
  folder.freeze();
  expect(folder.check(stopping_after(0)), Verdict::kInconclusive, "no_steps");
  const CurveFolder empty;
  empty.freeze({}, 0);
  const RunView run = empty.run("a", {}, 0);
  ASSERT_EQ(run.reason, "complete");
  expect(check_baseline(run, {empty.curves, false}), Verdict::kInconclusive, "no_steps");
}

TEST(CheckBaseline, TheSameNonFiniteBitsInBothAreInvalidAndInOneADifference) {
  const RunChange nan = [](auto& run) { run.record.steps[2].grad_norm = kNan; };
  const CurveFolder folder;
  folder.freeze(nan);
  const BaselineReport both = folder.check(nan);
  expect(both, Verdict::kInvalid, "non_finite");
  EXPECT_THAT(both.check.message, HasSubstr("step 3"));
  expect(folder.check(), Verdict::kNotReproduced, "baseline_differs");
  expect(folder.check([&nan](auto& run) {
    nan(run);
    stopping_after(3)(run);
  }),
         Verdict::kInvalid, "non_finite");
  expect(folder.check([&nan](auto& run) {
    nan(run);
    stopping_after(2)(run);
  }),
         Verdict::kReproduced, "bitwise_prefix");
  const CurveFolder finite;
  finite.freeze();
  expect(finite.check(nan), Verdict::kNotReproduced, "baseline_differs");
}

TEST(CheckBaseline, ARunThatIsNotIntactIsNotHeldAgainstAnything) {
  const CurveFolder folder;
  folder.freeze();
  const BaselineReport found =
      folder.check([](auto& run) { run.manifest["status"] = "failed"; }, true);
  expect(found, Verdict::kNotRun, "run_failed");
  EXPECT_TRUE(found.file.empty());
}

TEST(CheckBaseline, ARunThatPromisesNothingIsInconclusive) {
  const CurveFolder folder;
  folder.freeze();
  expect(folder.check([](auto& run) { run.record.header.promise = protocol::Promise::kNone; }),
         Verdict::kInconclusive, "no_promise");
}

TEST(CheckBaseline, NoCurveIsNotRunOrInconclusiveAndNeverGreen) {
  const CurveFolder folder;
  const BaselineReport warned = folder.check();
  expect(warned, Verdict::kNotRun, "no_baseline");
  EXPECT_THAT(warned.check.message, HasSubstr("no baseline for this machine"));
  EXPECT_TRUE(warned.nearest.empty());
  expect(folder.check({}, true), Verdict::kInconclusive, "no_baseline");
  fs::remove(folder.curves);
  expect(folder.check(), Verdict::kNotRun, "no_baseline");
}

TEST(CheckBaseline, TheNearestCurvesAreNamedWithTheFieldsThatDiffer) {
  const CurveFolder folder;
  const auto two_off = folder.freeze(on_machine("H200", "2.10.0"));
  const auto one_off = folder.freeze(on_machine("H200"));
  const auto far = folder.freeze([](auto& run) { run.config.identity["seed"] = 43; });
  const BaselineReport found = folder.check(on_machine("H100"));
  expect(found, Verdict::kNotRun, "no_baseline");
  ASSERT_EQ(found.nearest.size(), 3u);
  EXPECT_EQ(found.nearest[0].fingerprint, one_off.stem().string());
  ASSERT_EQ(found.nearest[0].differences.size(), 1u);
  EXPECT_EQ(found.nearest[0].differences[0].field, "/device/name");
  EXPECT_EQ(found.nearest[0].differences[0].a, "H100");
  EXPECT_EQ(found.nearest[0].differences[0].b, "H200");
  EXPECT_EQ(found.nearest[1].fingerprint, two_off.stem().string());
  EXPECT_EQ(found.nearest[2].fingerprint, far.stem().string());
  EXPECT_THAT(found.check.message, HasSubstr("/device/name (\"H100\" here, \"H200\" there)"));
}

TEST(CheckBaseline, NearestAreThreeAtMostAndNoneThatIsNoCurve) {
  const CurveFolder folder;
  for (int i = 0; i < 5; ++i) folder.freeze(on_machine("GPU " + std::to_string(i)));
  test::write_file(folder.curves / "notes.json", "{}");
  test::write_file(folder.curves / "0123456789abcdef.json", "torn {");
  EXPECT_EQ(folder.check().nearest.size(), 3u);
}

TEST(CheckBaseline, CurvesOfOtherExperimentsAreNoneOfThisMachine) {
  const CurveFolder folder;
  folder.freeze([](auto& run) { run.config.identity["seed"] = 43; });
  const BaselineReport found = folder.check();
  expect(found, Verdict::kNotRun, "no_baseline");
  EXPECT_THAT(found.check.message, HasSubstr("other experiments only"));
}

TEST(CheckBaseline, ACurveOfAnotherIdentityInItsPlaceIsRefused) {
  const CurveFolder folder;
  const fs::path mine = folder.freeze();
  const fs::path other = folder.freeze([](auto& run) { run.config.identity["seed"] = 43; });
  fs::copy_file(other, mine, fs::copy_options::overwrite_existing);
  expect(folder.check(), Verdict::kEvidenceInvalid, "curve_replaced");
  fs::copy_file(description_of(other), description_of(mine), fs::copy_options::overwrite_existing);
  expect(folder.check(), Verdict::kEvidenceInvalid, "curve_key_mismatch");
}

TEST(CheckBaseline, APortableCurveIsOneForEveryDevice) {
  const CurveFolder folder;
  const fs::path file = folder.freeze(portable_on("H200"));
  EXPECT_EQ(read_curve(file).description.at("key").size(), 3u);
  expect(folder.check(portable_on("none")), Verdict::kReproduced, "bitwise");
  expect(folder.check([](auto& run) {
    portable_on("none")(run);
    run.record.steps[5].loss = -0.0f;
  }),
         Verdict::kNotReproduced, "baseline_differs");
  expect(folder.check([](auto& run) {
    portable_on("H200")(run);
    run.record.header.arithmetic = "portable-f32/2";
  }),
         Verdict::kNotRun, "no_baseline");
}

}  // namespace
}  // namespace twinrun::harness
