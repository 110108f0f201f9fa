#include "harness/bench/judge_bench.h"

#include <gmock/gmock.h>

#include "tests/harness/bench/bench_fixture.h"

namespace twinrun::harness {
namespace {

using testing::HasSubstr;

const Check& check_of(const BenchVerdict& judged, const std::string& name) {
  for (const Check& check : judged.checks) {
    if (check.name == name) return check;
  }
  throw std::logic_error("no check " + name);
}

TEST(JudgeBench, WithinTakesTheWholeIntervalAndBothControls) {
  const BenchVerdict judged = judge_bench(session_of(1.03, 1, 1.03), {});
  EXPECT_EQ(judged.verdict, Verdict::kReproduced);
  EXPECT_EQ(bench_verdict_name(judged.verdict), "WITHIN_BUDGET");
  EXPECT_EQ(exit_code(judged.verdict), ExitCode::kReproduced);
}

TEST(JudgeBench, ExceededTakesTheWholeIntervalToo) {
  EXPECT_EQ(judge_bench(session_of(1.07, 1, 1.03), {}).verdict, Verdict::kSlowdownExceeded);
  EXPECT_EQ(judge_bench(session_of(1.052, 1, 1.03), {}).verdict, Verdict::kInconclusive);
  EXPECT_EQ(judge_bench(session_of(1.048, 1, 1.03), {}).verdict, Verdict::kInconclusive);
}

TEST(JudgeBench, AFailedControlIsInvalidEvenWhereASlowdownSeemsShown) {
  for (const double again : {0.98, 1.02}) {
    const BenchVerdict judged = judge_bench(session_of(1.5, again, 1.03), {});
    EXPECT_EQ(judged.verdict, Verdict::kInvalid) << again;
    EXPECT_EQ(check_of(judged, "slowdown").verdict, Verdict::kNotRun);
  }
  for (const double delay : {1.0, 1.01, 1.05, 0.97}) {
    EXPECT_EQ(judge_bench(session_of(1.5, 1, delay), {}).verdict, Verdict::kInvalid) << delay;
  }
}

TEST(JudgeBench, NoDataIsNeverGreen) {
  SessionState state = session_of(1, 1, 1.03);
  for (ComparisonState& comparison : state.comparisons) comparison.blocks.clear();
  EXPECT_EQ(judge_bench(state, {}).verdict, Verdict::kInconclusive);
  EXPECT_EQ(judge_bench({}, {}).verdict, Verdict::kInconclusive);
  for (std::size_t i = 0; i < 3; ++i) {
    SessionState without = session_of(1, 1, 1.03);
    without.comparisons[i].blocks.clear();
    EXPECT_EQ(judge_bench(without, {}).verdict, Verdict::kInconclusive) << i;
    without = session_of(1, 1, 1.03);
    without.comparisons[i].blocks.resize(7);
    EXPECT_EQ(judge_bench(without, {}).verdict, Verdict::kInconclusive) << i;
    without = session_of(1, 1, 1.03);
    without.comparisons.erase(without.comparisons.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_EQ(judge_bench(without, {}).verdict, Verdict::kInconclusive) << i;
  }
}

TEST(JudgeBench, AControlThatIsTooWideSaysNothing) {
  SessionState state = session_of(1.5, 1, 1.03);
  state.comparisons[1].blocks = blocks_of(1, 12, 0.05);
  const BenchVerdict judged = judge_bench(state, {});
  EXPECT_EQ(judged.verdict, Verdict::kInconclusive);
  EXPECT_EQ(check_of(judged, "controls").reason, "control_too_wide");
}

TEST(JudgeBench, AnArmThatFailedIsInvalidWhateverWasMeasuredBefore) {
  for (std::size_t i = 0; i < 3; ++i) {
    SessionState state = session_of(1, 1, 1.03);
    state.comparisons[i].failed_reason = "timed_out";
    state.comparisons[i].failed_message = "it hung";
    const BenchVerdict judged = judge_bench(state, {});
    EXPECT_EQ(judged.verdict, Verdict::kInvalid) << i;
    EXPECT_EQ(judged.results[i].state, "could not run");
  }
}

TEST(JudgeBench, MoreThanATenthExcludedIsInconclusive) {
  for (std::size_t i = 0; i < 3; ++i) {
    SessionState state = session_of(1, 1, 1.03);
    state.comparisons[i].blocks = blocks_of(i == 2 ? 1.03 : 1, 20);
    const auto exclude = [&](std::size_t block) {
      state.comparisons[i].blocks[block].windows[0].throttle = {"hw_thermal"};
    };
    exclude(0);
    exclude(1);
    EXPECT_EQ(judge_bench(state, {}).verdict, Verdict::kReproduced) << i;
    exclude(2);
    EXPECT_EQ(judge_bench(state, {}).verdict, Verdict::kInconclusive) << i;
  }
}

TEST(JudgeBench, NoIntervalIsNarrowerThanWhatFewProcessesTell) {
  SessionState state = session_of(1.03, 1, 1.03);
  state.comparisons[0].blocks = blocks_of(1.03, 12, 0);
  const BenchVerdict judged = judge_bench(state, {});
  EXPECT_NEAR(*judged.results[0].estimate.low, 1.03 * 0.995, 1e-9);
  EXPECT_NEAR(*judged.results[0].estimate.high, 1.03 * 1.005, 1e-9);
  EXPECT_EQ(judged.widened, 0);
}

TEST(JudgeBench, WhatTwoEqualArmsDifferByWidensTheOthers) {
  SessionState state = session_of(1.03, 1.004, 1.03);
  state.comparisons[1].blocks = blocks_of(1.004, 12, 0);
  const BenchVerdict judged = judge_bench(state, {});
  EXPECT_NEAR(judged.widened, 0.004, 1e-9);
  EXPECT_NEAR(*judged.results[0].estimate.high, 1.03 * 1.005 * 1.004, 1e-9);
  state.comparisons[1].blocks = blocks_of(1.006, 12, 0);
  EXPECT_EQ(judge_bench(state, {}).verdict, Verdict::kInvalid);
}

TEST(JudgeBench, AnAttributionDecidesNothing) {
  BenchSettings settings;
  settings.switches = {"x", "y"};
  SessionState state = session_of(1.03, 1, 1.03);
  const auto plan = plan_comparisons(settings);
  for (std::size_t i = 3; i < plan.size(); ++i) state.comparisons.emplace_back().spec = plan[i];
  state.comparisons[3].blocks = blocks_of(3);
  state.comparisons[4].failed_reason = "trainer_failed";
  const BenchVerdict judged = judge_bench(state, settings);
  EXPECT_EQ(judged.verdict, Verdict::kReproduced);
  EXPECT_EQ(judged.results[3].state, "measured");
  EXPECT_EQ(judged.results[4].state, "could not run");
  EXPECT_EQ(judged.results[5].state, "not measured");
}

TEST(JudgeBench, TheWorstCandidateDecides) {
  BenchSettings settings;
  settings.modes = {"fast", "deterministic", "portable"};
  SessionState state;
  for (const ComparisonSpec& spec : plan_comparisons(settings)) {
    state.comparisons.emplace_back().spec = spec;
    const bool delay = spec.kind == ComparisonSpec::Kind::kDelay;
    state.comparisons.back().blocks = blocks_of(spec.arm.numerics == "portable" ? 2
                                                : delay                         ? 1.03
                                                                                : 1);
  }
  const BenchVerdict judged = judge_bench(state, settings);
  EXPECT_EQ(judged.verdict, Verdict::kSlowdownExceeded);
  EXPECT_THAT(check_of(judged, "slowdown").message, HasSubstr("portable takes 2.0"));
}

}  // namespace
}  // namespace twinrun::harness
