#include "harness/infer/compare_outputs.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/harness/infer/infer_fixture.h"

namespace twinrun::harness {
namespace {

using protocol::InferenceFile;
using test::toy_inference;
using test::ToyInference;

float next_down(float value) { return std::nextafter(value, -100.0F); }

TEST(CompareBitsTest, EqualFilesDoNotDiffer) {
  const InferenceFile file = as_file(toy_inference());
  const BitwiseOutputs found = compare_bits(file, file, true);
  EXPECT_FALSE(found.first);
  EXPECT_EQ(found.prompts, 3);
  EXPECT_EQ(found.tokens, 18);
}

TEST(CompareBitsTest, NamesTheFirstOfEveryKindOfDifference) {
  const InferenceFile a = as_file(toy_inference());
  const auto first = [&](auto change) {
    InferenceFile b = a;
    change(b.outputs[1]);
    const BitwiseOutputs found = compare_bits(a, b, true);
    EXPECT_EQ(found.prompts_differing, 1);
    return found.first.value_or(OutputDifference{-1, -2, "", "", ""});
  };
  const auto token = first([](auto& o) { o.tokens[3] = 99; });
  EXPECT_EQ(token.prompt, 1);
  EXPECT_EQ(token.position, 3);
  EXPECT_EQ(token.field, "tokens");
  EXPECT_EQ(token.b, "99");
  const auto bit = first([](auto& o) { o.logprobs[2] = next_down(o.logprobs[2]); });
  EXPECT_EQ(bit.position, 2);
  EXPECT_EQ(bit.field, "logprobs");
  EXPECT_NE(bit.a, bit.b);
  EXPECT_EQ(first([](auto& o) { o.top[4][3].logprob = next_down(o.top[4][3].logprob); }).field,
            "top");
  EXPECT_EQ(first([](auto& o) { o.top[4].pop_back(); }).b, "none");
  EXPECT_EQ(first([](auto& o) { o.ids[2] += 1; }).field, "ids");
  EXPECT_EQ(first([](auto& o) { o.tokens.pop_back(); }).b, "none");
  EXPECT_EQ(first([](auto& o) { o.finish = protocol::Finish::kStop; }).field, "finish");
  EXPECT_EQ(first([](auto& o) { o.completion = "x"; }).field, "completion");
  EXPECT_EQ(first([](auto& o) { o.text.reset(); }).field, "text");
  EXPECT_EQ(first([](auto& o) { o.forced = protocol::ForcedTokens{}; }).field, "forced");
}

TEST(CompareBitsTest, ZeroAndMinusZeroDiffer) {
  InferenceFile a = as_file(toy_inference());
  InferenceFile b = a;
  a.outputs[0].logprobs[0] = 0.0F;
  b.outputs[0].logprobs[0] = -0.0F;
  EXPECT_EQ(compare_bits(a, b, false).first->b, "80000000");
}

TEST(KlDivergenceTest, IsTheOneOfTheWholeDistribution) {
  const std::vector<double> p = {std::log(0.5), std::log(0.25)}, q = {std::log(0.4), std::log(0.4)};
  const double wanted =
      0.5 * std::log(0.5 / 0.4) + 0.25 * std::log(0.25 / 0.4) + 0.25 * std::log(0.25 / 0.2);
  EXPECT_NEAR(kl_divergence(p, q), wanted, 1e-15);
  EXPECT_EQ(kl_divergence(p, p), 0);
  // Mass that moves only within what neither keeps cannot be seen; mass that leaves the top can.
  EXPECT_GT(kl_divergence({std::log(0.9)}, {std::log(0.1)}), 1);
}

TEST(KlDivergenceTest, ARestThatRoundingMadeNegativeIsNone) {
  const std::vector<double> all = {std::log(0.75) + 1e-8, std::log(0.25) + 1e-8};
  const double kl = kl_divergence(all, {std::log(0.75), std::log(0.25)});
  EXPECT_TRUE(kl >= 0 && kl < 1e-6) << kl;
}

TEST(MeasureForcedTest, OfTheSameModelIsNothing) {
  ToyInference toy = toy_inference();
  test::force(toy, toy_inference(), 0.5);
  const ForcedMeasure found = measure_forced(as_file(toy_inference()), as_file(toy), 0.02);
  EXPECT_EQ(found.tokens, 18);
  EXPECT_EQ(found.max_logprob_diff, 0);
  EXPECT_EQ(found.max_kl, 0);
  EXPECT_EQ(found.top1_agreement, 1);
  EXPECT_TRUE(found.choices.empty());
}

TEST(MeasureForcedTest, SeesOneLogProbabilityAndWhereItIs) {
  const InferenceFile reference = as_file(toy_inference());
  ToyInference toy = toy_inference();
  test::force(toy, toy_inference(), 0.5);
  InferenceFile run = as_file(toy);
  run.outputs[2].forced->logprobs[4] -= 0.25F;
  const ForcedMeasure found = measure_forced(reference, run, 0.02);
  EXPECT_NEAR(found.max_logprob_diff, 0.25, 1e-6);
  EXPECT_EQ(found.max_logprob_diff_at.prompt, 2);
  EXPECT_EQ(found.max_logprob_diff_at.position, 4);
  EXPECT_NEAR(found.mean_logprob_diff, 0.25 / 18, 1e-6);
}

TEST(MeasureForcedTest, AnotherAdapterIsFarAway) {
  ToyInference toy = toy_inference(1.5);
  test::force(toy, toy_inference(), 1.5);
  const ForcedMeasure found = measure_forced(as_file(toy_inference()), as_file(toy), 0.02);
  EXPECT_GT(found.max_logprob_diff, 0.1);
  EXPECT_GT(found.mean_kl, 0.01);
  EXPECT_LT(found.top1_agreement, 1);
  EXPECT_FALSE(found.choices.empty());
}

TEST(MeasureGreedyTest, PartsOnceAPromptAndWeighsBothSides) {
  const InferenceFile reference = as_file(toy_inference());
  InferenceFile run = reference;
  auto& output = run.outputs[1];
  // The run prefers the reference's second token by a hair, and goes on with other ones.
  std::swap(output.top[2][0].id, output.top[2][1].id);
  output.top[2][1].logprob = output.top[2][0].logprob - 0.015F;
  output.tokens[2] = output.top[2][0].id;
  output.tokens[3] = 11;
  const double reference_gap = static_cast<double>(reference.outputs[1].top[2][0].logprob) -
                               static_cast<double>(reference.outputs[1].top[2][1].logprob);
  GreedyMeasure found = measure_greedy(reference, run, reference_gap + 1e-6);
  EXPECT_EQ(found.identical, 2);
  EXPECT_EQ(found.tokens, 14);
  ASSERT_EQ(found.divergences.size(), 1u);
  const ChoiceDifference choice = found.divergences[0];
  EXPECT_EQ(choice.at.position, 2);
  EXPECT_NEAR(*choice.run_gap, 0.015, 1e-6);
  EXPECT_NEAR(*choice.reference_gap, reference_gap, 1e-12);
  EXPECT_TRUE(choice.near_tie);
  // Either side alone decides that it is none.
  EXPECT_FALSE(measure_greedy(reference, run, reference_gap - 1e-6).divergences[0].near_tie);
  EXPECT_FALSE(measure_greedy(reference, run, 0.0149).divergences[0].near_tie);
}

TEST(MeasureGreedyTest, ATokenThatIsNotKeptIsNoNearTie) {
  const InferenceFile reference = as_file(toy_inference());
  InferenceFile run = reference;
  run.outputs[0].tokens[0] = 99;
  const GreedyMeasure found = measure_greedy(reference, run, 100);
  ASSERT_EQ(found.divergences.size(), 1u);
  EXPECT_FALSE(found.divergences[0].reference_gap);
  EXPECT_FALSE(found.divergences[0].near_tie);
}

TEST(MeasureGreedyTest, EndingEarlierIsNoNearTie) {
  const InferenceFile reference = as_file(toy_inference());
  InferenceFile run = reference;
  run.outputs[0].tokens.pop_back();
  const GreedyMeasure found = measure_greedy(reference, run, 100);
  ASSERT_EQ(found.divergences.size(), 1u);
  EXPECT_EQ(found.divergences[0].run_token, -1);
  EXPECT_FALSE(found.divergences[0].near_tie);
}

}  // namespace
}  // namespace twinrun::harness
