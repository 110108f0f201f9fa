#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/harness/infer/infer_fixture.h"

namespace twinrun::harness {
namespace {

using protocol::InferenceFile;
using test::toy_inference;
using test::ToyInference;

/// What comparing comes to: "VERDICT reason".
std::string outcome(const InferenceFile& reference, const InferenceFile& run) {
  const auto found = compare_with_reference(reference, run, toy_bounds());
  return to_string(found.verdict) + " " + found.reason;
}

/// A run with a little noise, forced on the tokens of `reference`.
ToyInference run_on(const ToyInference& reference, double shift = 0.5, double noise = 1e-3) {
  ToyInference run = toy_inference(shift, noise);
  test::force(run, reference, shift, noise);
  return run;
}

TEST(FrozenReferenceTest, EqualBitsReproduce) {
  const InferenceFile frozen = as_file(toy_inference());
  EXPECT_EQ(outcome(frozen, frozen), "REPRODUCED bitwise");
}

TEST(FrozenReferenceTest, OneUlpIsADifference) {
  const InferenceFile frozen = as_file(toy_inference());
  InferenceFile run = frozen;
  float& value = run.outputs[2].logprobs[5];
  value = std::nextafter(value, -100.0F);
  const auto found = compare_with_reference(frozen, run, toy_bounds());
  EXPECT_EQ(found.verdict, Verdict::kNotReproduced);
  EXPECT_EQ(found.message.rfind("differ from the reference at token 5 of prompt 2 (greeting/2), "
                                "in logprobs: ",
                                0),
            0u)
      << found.message;
}

TEST(FrozenReferenceTest, ANoiseThatBoundsWouldAllowIsNone) {
  EXPECT_EQ(outcome(as_file(toy_inference()), as_file(run_on(toy_inference()))),
            "NOT_REPRODUCED outputs_differ");
}

TEST(FrozenReferenceTest, AnotherPlatformOrArithmeticIsNotCompared) {
  const InferenceFile frozen = as_file(toy_inference());
  const auto differing = [&](auto change) {
    InferenceFile run = frozen;
    change(run.header);
    const auto found = compare_with_reference(frozen, run, toy_bounds());
    EXPECT_EQ(found.reason, "not_comparable");
    EXPECT_EQ(found.verdict, Verdict::kInconclusive);
    EXPECT_EQ(found.key_differences.size(), 1u);
    return found.key_differences.empty() ? "" : found.key_differences[0].field;
  };
  EXPECT_EQ(differing([](auto& h) { h.platform["cpu.threads"] = 4; }), "/platform/cpu.threads");
  EXPECT_EQ(differing([](auto& h) { h.arithmetic = "x/1"; }), "/arithmetic");
  EXPECT_EQ(differing([](auto& h) { h.numerics = "fast"; }), "/numerics");
  EXPECT_EQ(differing([](auto& h) { h.promise = protocol::Promise::kNone; }), "/promise");
  EXPECT_EQ(differing([](auto& h) { h.batch_size = 4; }), "/batch_size");
  EXPECT_EQ(differing([](auto& h) { h.max_new_tokens = 7; }), "/max_new_tokens");
  EXPECT_EQ(differing([](auto& h) { h.dtype = "bfloat16"; }), "/dtype");
}

TEST(OtherReferenceTest, RoundingIsWithinBounds) {
  const ToyInference reference = as_other(toy_inference());
  const auto found =
      compare_with_reference(as_file(reference), as_file(run_on(reference)), toy_bounds());
  EXPECT_EQ(found.reason, "within_bounds") << found.message;
  ASSERT_TRUE(found.forced && found.greedy);
  EXPECT_GT(found.forced->max_logprob_diff, 1e-4);
}

TEST(OtherReferenceTest, AnotherAdapterIsNot) {
  const ToyInference reference = as_other(toy_inference());
  EXPECT_EQ(outcome(as_file(reference), as_file(run_on(reference, 1.5))),
            "NOT_REPRODUCED logprob_differs");
}

TEST(OtherReferenceTest, TokensOfAnotherPromptAreNot) {
  ToyInference reference = as_other(toy_inference());
  std::swap(reference.outputs[0].tokens, reference.outputs[1].tokens);
  std::swap(reference.outputs[0].logprobs, reference.outputs[1].logprobs);
  std::swap(reference.outputs[0].top, reference.outputs[1].top);
  ASSERT_NE(reference.outputs[0].tokens, reference.outputs[1].tokens);
  EXPECT_EQ(outcome(as_file(reference), as_file(run_on(reference))),
            "NOT_REPRODUCED logprob_differs");
}

TEST(OtherReferenceTest, ALogProbabilityMovedByTwiceTheBoundIsFound) {
  ToyInference reference = as_other(toy_inference());
  const double bound = toy_bounds().max_logprob_diff;
  auto& output = reference.outputs[1];
  output.logprobs[3] -= static_cast<float>(2 * bound);
  output.top[3][0].logprob = output.logprobs[3];
  const auto found =
      compare_with_reference(as_file(reference), as_file(run_on(reference)), toy_bounds());
  EXPECT_EQ(found.reason, "logprob_differs");
  EXPECT_NE(found.message.find("token 3 of prompt 1 (greeting/1)"), std::string::npos);
}

// Each bound by itself, the others out of the way: a bound that is not looked at shows here.
TEST(OtherReferenceTest, EveryBoundIsHeld) {
  const ToyInference reference = as_other(toy_inference());
  const InferenceFile wanted = as_file(reference), run = as_file(run_on(reference, 0.9));
  const InferenceBounds wide = {.max_logprob_diff = 50,
                                .mean_logprob_diff = 50,
                                .kl = 50,
                                .mean_kl = 50,
                                .top1_agreement = 0,
                                .tie_gap = 50};
  ASSERT_EQ(compare_with_reference(wanted, run, wide).reason, "within_bounds");
  const auto forced = *compare_with_reference(wanted, run, wide).forced;
  const auto reason = [&](double InferenceBounds::*bound, double value) {
    InferenceBounds bounds = wide;
    bounds.*bound = value;
    return compare_with_reference(wanted, run, bounds).reason;
  };
  for (const auto& [bound, value, name] :
       {std::tuple{&InferenceBounds::max_logprob_diff, forced.max_logprob_diff, "logprob_differs"},
        std::tuple{&InferenceBounds::mean_logprob_diff, forced.mean_logprob_diff,
                   "mean_logprob_differs"},
        std::tuple{&InferenceBounds::kl, forced.max_kl, "kl_exceeded"},
        std::tuple{&InferenceBounds::mean_kl, forced.mean_kl, "mean_kl_exceeded"}}) {
    EXPECT_EQ(reason(bound, value), "within_bounds");
    EXPECT_EQ(reason(bound, value * (1 - 1e-12)), name);
    EXPECT_EQ(reason(bound, std::numeric_limits<double>::quiet_NaN()), name);
  }
  ASSERT_LT(forced.top1_agreement, 1);
  EXPECT_EQ(reason(&InferenceBounds::top1_agreement, 1), "top1_disagrees");
  EXPECT_EQ(reason(&InferenceBounds::tie_gap, 0), "not_a_near_tie");
}

TEST(OtherReferenceTest, WhatWasForcedHasToBeOfThisReference) {
  const ToyInference reference = as_other(toy_inference());
  EXPECT_EQ(outcome(as_file(reference), as_file(toy_inference())),
            "INVALID forced_on_another_reference");
  ToyInference run = run_on(reference);
  run.header.reference = std::string(64, '0');
  EXPECT_EQ(outcome(as_file(reference), as_file(run)), "INVALID forced_on_another_reference");
  run = run_on(reference);
  auto& forced = *run.outputs[2].forced;
  forced.logprobs.pop_back();
  forced.best.pop_back();
  forced.top.pop_back();
  EXPECT_EQ(outcome(as_file(reference), as_file(run)), "INVALID forced_malformed");
  run = run_on(reference);
  run.outputs[2].forced->top[1].pop_back();
  EXPECT_EQ(outcome(as_file(reference), as_file(run)), "INVALID forced_malformed");
}

TEST(OtherReferenceTest, NumbersThatAreOfNoDistributionAreNotMeasured) {
  const ToyInference reference = as_other(toy_inference());
  const auto changed = [&](auto change) {
    ToyInference run = run_on(reference);
    change(*run.outputs[1].forced, reference.outputs[1]);
    return outcome(as_file(reference), as_file(run));
  };
  EXPECT_EQ(changed([](auto&, const auto&) {}), "REPRODUCED within_bounds");
  const std::string refused = "INVALID forced_malformed";
  // More probable than the most probable one, which would count as an agreement or a near tie.
  EXPECT_EQ(changed([](auto& f, const auto&) { f.best[2].logprob = f.logprobs[2] - 0.001F; }),
            refused);
  EXPECT_EQ(changed([](auto& f, const auto&) { f.logprobs[2] = 0; }), refused);
  EXPECT_EQ(changed([](auto& f, const auto&) { f.top[2][3] = 0; }), refused);
  // The reference's token with two values, the best one with two.
  EXPECT_EQ(changed([](auto& f, const auto& wanted) {
              f.logprobs[2] -= 0.0001F;
              f.best[2].id = wanted.tokens[2] + 1;
            }),
            refused);
  EXPECT_EQ(changed([](auto& f, const auto& wanted) { f.best[2].id = wanted.top[2][1].id; }),
            refused);
}

TEST(ReferenceTest, OfAnotherModelTokenizerOrPromptsIsNotCompared) {
  for (const bool frozen : {true, false}) {
    const ToyInference reference = frozen ? toy_inference() : as_other(toy_inference());
    const InferenceFile run = as_file(run_on(reference, 0.5, 0));
    const auto changed = [&](auto change) {
      ToyInference other = reference;
      change(other);
      return outcome(as_file(other), run);
    };
    EXPECT_EQ(changed([](auto& r) { r.header.model["files"]["config.json"] = "0"; }),
              "INCONCLUSIVE other_model");
    EXPECT_EQ(changed([](auto& r) { r.header.tokenizer = nlohmann::json::object(); }),
              "INCONCLUSIVE other_tokenizer");
    EXPECT_EQ(changed([](auto& r) { r.outputs.pop_back(); }), "INCONCLUSIVE other_prompts");
    EXPECT_EQ(changed([](auto& r) { r.outputs[1].id = "x"; }), "INCONCLUSIVE other_prompts");
    EXPECT_EQ(changed([](auto& r) { r.outputs[1].text = "x"; }), "INCONCLUSIVE other_prompts");
    EXPECT_EQ(changed([](auto& r) { std::swap(r.outputs[0].text, r.outputs[1].text); }),
              "INCONCLUSIVE other_prompts");
    EXPECT_EQ(changed([](auto& r) { r.outputs[1].ids[0] += 1; }),
              "NOT_REPRODUCED prompt_ids_differ");
  }
}

}  // namespace
}  // namespace twinrun::harness
