#include "trainer/infer/generate.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/temp_folder.h"
#include "tests/trainer/tiny_model.h"
#include "trainer/infer/top_tokens.h"
#include "trainer/ops/portable/portable_ops.h"
#include "trainer/ops/torch/torch_ops.h"

namespace twinrun::trainer {
namespace {

using protocol::Finish;
using testing::HasSubstr;

class Generate : public testing::TestWithParam<bool> {
 protected:
  static constexpr std::int64_t kPad = 60;

  std::vector<Generated> run(const std::vector<TokenIds>& prompts, std::int64_t batch_size,
                             std::optional<std::int64_t> stop = {}) {
    return generate(model_, prompts, options(batch_size, stop), at::kCPU);
  }
  static GenerateOptions options(std::int64_t batch_size, std::optional<std::int64_t> stop = {}) {
    return {.max_new_tokens = 6,
            .batch_size = batch_size,
            .top = 3,
            .stop_token = stop,
            .pad_token = kPad};
  }

  const c10::InferenceMode inference_;
  std::unique_ptr<OpSet> ops_ = GetParam() ? make_portable_ops(Isa::kAuto) : make_torch_ops();
  Llama model_{tiny_config(), random_llama(tiny_config(), 5, at::kFloat, at::kCPU), *ops_, nullptr};
  const std::vector<TokenIds> prompts_{{1, 2, 3}, {4}, {5, 6, 7, 8, 9}};
};

INSTANTIATE_TEST_SUITE_P(Ops, Generate, testing::Bool(), [](const auto& mode) {
  return std::string(mode.param ? "Portable" : "Torch");
});

void expect_equal(const Generated& a, const Generated& b) {
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_EQ(a.logprobs, b.logprobs);
  EXPECT_EQ(a.finish, b.finish);
}

TEST_P(Generate, TakesTheMostProbableTokenOfTheWholePrefix) {
  const auto answers = run(prompts_, 2);
  ASSERT_EQ(answers.size(), 3U);
  for (std::size_t p = 0; p < prompts_.size(); ++p) {
    auto prefix = prompts_[p];
    const auto& answer = answers[p];
    EXPECT_EQ(answer.finish, Finish::kLength);
    ASSERT_EQ(answer.tokens.size(), 6U);
    ASSERT_EQ(answer.top.size(), 6U);
    for (std::size_t i = 0; i < answer.tokens.size(); ++i) {
      const auto ids = at::tensor(prefix).unsqueeze(0);
      const auto logprobs = model_.log_probs(
          model_.hidden(ids, nullptr).narrow(0, static_cast<std::int64_t>(prefix.size()) - 1, 1));
      const auto top = top_tokens({logprobs.const_data_ptr<float>(), 61}, 3);
      for (std::size_t k = 0; k < 3; ++k) {
        EXPECT_EQ(answer.top[i][k].id, top[k].id) << p << ", " << i;
        EXPECT_NEAR(answer.top[i][k].logprob, top[k].logprob, 2e-5);
      }
      EXPECT_EQ(answer.tokens[i], answer.top[i][0].id);
      EXPECT_EQ(answer.logprobs[i], answer.top[i][0].logprob);
      prefix.push_back(answer.tokens[i]);
    }
  }
}

TEST_P(Generate, FillingUpWithCopiesChangesNothing) {
  // Three prompts in batches of two are those of four, the last of them twice.
  const auto three = run(prompts_, 2);
  const auto four = run({prompts_[0], prompts_[1], prompts_[2], prompts_[2]}, 2);
  ASSERT_EQ(four.size(), 4U);
  for (std::size_t i = 0; i < 3; ++i) expect_equal(three[i], four[i]);
  // That a row's place in the batch changes no bit, a vendor's product does not promise: on some
  // CPUs it does.
  if (GetParam()) expect_equal(four[3], four[2]);
  EXPECT_EQ(four[3].tokens, four[2].tokens);
}

TEST_P(Generate, ARowThatStoppedEndsWithTheStopTokenAndLeavesTheOthersAlone) {
  const auto free = run(prompts_, 3);
  // The first token of one answer that the others do not have at once.
  const auto stop = free[0].tokens[2];
  const auto stopped = run(prompts_, 3, stop);
  for (std::size_t p = 0; p < prompts_.size(); ++p) {
    const auto& tokens = free[p].tokens;
    const auto end = std::ranges::find(tokens, stop);
    const bool stops = end != tokens.end();
    EXPECT_EQ(stopped[p].finish, stops ? Finish::kStop : Finish::kLength);
    EXPECT_EQ(stopped[p].tokens, TokenIds(tokens.begin(), stops ? end + 1 : end));
    EXPECT_EQ(stopped[p].logprobs.size(), stopped[p].tokens.size());
    EXPECT_EQ(stopped[p].top.size(), stopped[p].tokens.size());
    for (std::size_t i = 0; i < stopped[p].logprobs.size(); ++i) {
      EXPECT_EQ(stopped[p].logprobs[i], free[p].logprobs[i]);
    }
  }
  EXPECT_EQ(stopped[0].finish, Finish::kStop);
}

TEST_P(Generate, ForcedTokensAreThoseOfTheAnswerWithoutCache) {
  const auto answers = run(prompts_, 2);
  std::vector<ForcedInput> inputs;
  for (const auto& answer : answers) {
    auto& input = inputs.emplace_back(ForcedInput{answer.tokens, {}});
    for (const auto& top : answer.top) {
      auto& ids = input.top.emplace_back();
      for (const auto& token : top) ids.push_back(token.id);
    }
  }
  const auto forced = force(model_, prompts_, inputs, options(2), at::kCPU);
  ASSERT_EQ(forced.size(), answers.size());
  for (std::size_t p = 0; p < answers.size(); ++p) {
    ASSERT_EQ(forced[p].logprobs.size(), answers[p].tokens.size());
    ASSERT_EQ(forced[p].top.size(), answers[p].tokens.size());
    for (std::size_t i = 0; i < answers[p].tokens.size(); ++i) {
      EXPECT_NEAR(forced[p].logprobs[i], answers[p].logprobs[i], 2e-5);
      EXPECT_EQ(forced[p].best[i].id, answers[p].tokens[i]);
      EXPECT_EQ(forced[p].best[i].logprob, forced[p].logprobs[i]);
      for (std::size_t k = 0; k < 3; ++k) {
        EXPECT_NEAR(forced[p].top[i][k], answers[p].top[i][k].logprob, 2e-5);
        if (GetParam()) {
          EXPECT_EQ(forced[p].top[i][k], answers[p].top[i][k].logprob);
        }
      }
    }
  }
}

TEST_P(Generate, ForcedTokensGetTheirOwnLogProbability) {
  const std::vector<ForcedInput> inputs{{{9, 17}, {{1, 9}, {0}}}, {{3}, {{60}}}, {{8}, {{}}}};
  const auto forced = force(model_, prompts_, inputs, options(3), at::kCPU);
  const auto logprobs =
      model_.log_probs(model_.hidden(at::tensor({1, 2, 3, 9}).unsqueeze(0), nullptr));
  EXPECT_NEAR(forced[0].logprobs[0], logprobs[2][9].item<float>(), 2e-5);
  EXPECT_NEAR(forced[0].logprobs[1], logprobs[3][17].item<float>(), 2e-5);
  EXPECT_NEAR(forced[0].top[0][0], logprobs[2][1].item<float>(), 2e-5);
  EXPECT_EQ(forced[0].top[0][1], forced[0].logprobs[0]);
  EXPECT_EQ(forced[0].best[0].id, logprobs[2].argmax().item<std::int64_t>());
  EXPECT_TRUE(forced[2].top[0].empty());
}

TEST_P(Generate, FailsOnWhatIsNotFinite) {
  for (const float bad : {INFINITY, NAN}) {
    auto weights = random_llama(tiny_config(), 5, at::kFloat, at::kCPU);
    weights.embed_tokens[4].fill_(bad);
    Llama broken(tiny_config(), weights, *ops_, nullptr);
    const auto message = test::message_of<std::runtime_error>(
        [&] { generate(broken, prompts_, options(2), at::kCPU); });
    EXPECT_THAT(message, HasSubstr("prompt 1, token 0: the model's log-probabilities are not"));
    const std::vector<ForcedInput> inputs{{{1}, {{1}}}, {{1}, {{1}}}, {{1}, {{1}}}};
    EXPECT_THAT(test::message_of<std::runtime_error>(
                    [&] { force(broken, prompts_, inputs, options(2), at::kCPU); }),
                HasSubstr("prompt 1, token 0"));
  }
}

}  // namespace
}  // namespace twinrun::trainer
