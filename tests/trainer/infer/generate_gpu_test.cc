// Answers on a GPU. Label `gpu`: without a GPU these fail, they never skip.

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "tests/trainer/tiny_model.h"
#include "trainer/infer/generate.h"
#include "trainer/numerics/numerics.h"
#include "trainer/ops/portable/portable_ops.h"
#include "trainer/ops/torch/torch_ops.h"

namespace twinrun::trainer {
namespace {

struct Outputs {
  std::vector<Generated> answers;
  std::vector<protocol::ForcedTokens> forced;
};

const std::vector<TokenIds>& prompts() {
  static const std::vector<TokenIds> kPrompts{{1, 2, 3}, {4}, {5, 6, 7, 8, 9}, {10, 11}, {12}};
  return kPrompts;
}

/// Every row of a batch goes on for 40 tokens, so that caches grow past a tile.
Outputs run(OpSet& ops, at::Device device, at::ScalarType dtype) {
  const c10::InferenceMode inference;
  Adapter adapter(tiny_config(), tiny_lora(), device, dtype);
  adapter.init(1, dtype);
  adapter.params().add_(0.01);
  adapter.refresh();
  Llama model(tiny_config(), random_llama(tiny_config(), 5, dtype, device), ops, &adapter);
  const GenerateOptions options{.max_new_tokens = 40, .batch_size = 3, .top = 5};
  Outputs outputs;
  outputs.answers = generate(model, prompts(), options, device);
  std::vector<ForcedInput> inputs;
  for (std::size_t p = 0; p < prompts().size(); ++p) {
    inputs.push_back({{7, 60, static_cast<std::int64_t>(p)}, {{0, 1}, {2}, {3, 4, 5}}});
  }
  outputs.forced = force(model, prompts(), inputs, options, device);
  return outputs;
}

void expect_same(const Outputs& a, const Outputs& b) {
  ASSERT_EQ(a.answers.size(), prompts().size());
  ASSERT_EQ(b.answers.size(), prompts().size());
  for (std::size_t p = 0; p < prompts().size(); ++p) {
    EXPECT_EQ(a.answers[p].tokens, b.answers[p].tokens) << p;
    EXPECT_EQ(a.answers[p].logprobs, b.answers[p].logprobs) << p;
    for (std::size_t i = 0; i < a.answers[p].top.size(); ++i) {
      for (std::size_t k = 0; k < a.answers[p].top[i].size(); ++k) {
        EXPECT_EQ(a.answers[p].top[i][k].id, b.answers[p].top[i][k].id);
        EXPECT_EQ(a.answers[p].top[i][k].logprob, b.answers[p].top[i][k].logprob);
      }
    }
    EXPECT_EQ(a.forced[p].logprobs, b.forced[p].logprobs) << p;
    EXPECT_EQ(a.forced[p].top, b.forced[p].top) << p;
    for (std::size_t i = 0; i < a.forced[p].best.size(); ++i) {
      EXPECT_EQ(a.forced[p].best[i].id, b.forced[p].best[i].id);
      EXPECT_EQ(a.forced[p].best[i].logprob, b.forced[p].best[i].logprob);
    }
  }
}

TEST(GpuGenerate, PortableHasTheBitsOfTheCpu) {
  const auto ops = make_portable_ops(Isa::kAuto);
  expect_same(run(*ops, at::kCUDA, at::kFloat), run(*ops, at::kCPU, at::kFloat));
}

TEST(GpuGenerate, DeterministicTwiceIsTheSame) {
  for (const char* dtype : {"float32", "bfloat16"}) {
    const NumericsOptions options{
        .mode = "deterministic", .dtype = dtype, .device = "cuda", .isa = "auto", .threads = 2};
    apply_numerics(options, at::Device(at::kCUDA, 0));
    const auto ops = make_ops(options);
    const auto first = run(*ops, at::kCUDA, compute_dtype(dtype));
    expect_same(run(*ops, at::kCUDA, compute_dtype(dtype)), first);
  }
}

/// The bound is that of decode_test.cc: float32 in another order.
TEST(GpuGenerate, VendorKernelsAgreeWithThoseOfTheCpu) {
  const auto ops = make_torch_ops();
  const auto gpu = run(*ops, at::kCUDA, at::kFloat), cpu = run(*ops, at::kCPU, at::kFloat);
  for (std::size_t p = 0; p < prompts().size(); ++p) {
    for (std::size_t i = 0; i < gpu.forced[p].logprobs.size(); ++i) {
      EXPECT_NEAR(gpu.forced[p].logprobs[i], cpu.forced[p].logprobs[i], 2e-5);
    }
    EXPECT_NEAR(gpu.answers[p].logprobs[0], cpu.answers[p].logprobs[0], 2e-5);
  }
}

}  // namespace
}  // namespace twinrun::trainer
