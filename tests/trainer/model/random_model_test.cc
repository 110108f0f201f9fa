#include "trainer/model/random_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <span>

#include "harness/protocol/sha256.h"
#include "trainer/data/philox.h"
#include "trainer/model/safetensors.h"

namespace twinrun::trainer {
namespace {

ModelConfig small_config() {
  ModelConfig config;
  config.vocab_size = 101;
  config.hidden_size = 6;
  config.intermediate_size = 10;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 3;
  config.num_key_value_heads = 1;
  config.head_dim = 2;
  return config;
}

std::string digest(const std::vector<float>& values) {
  return protocol::to_hex(protocol::sha256(std::as_bytes(std::span(values))));
}

TEST(RandomModel, HasFrozenBits) {
  EXPECT_EQ(digest(random_tensor(small_config(), 42, "model.embed_tokens.weight")),
            "31e042a5cad32e5fd319e2ba7788e97f3c23e6f78670f4d49a26a57faf301d6a");
}

TEST(RandomModel, FollowsTheDocumentedCounterLayout) {
  // lm_head.weight sorts first: tensor 0. Element 5 is word 1 of block 1.
  const std::vector<float> values =
      random_tensor(small_config(), (1ull << 40) + 9, "lm_head.weight");
  const std::uint32_t word = philox4x32({3, 0, 1, 0}, {9, 1u << 8})[1];
  EXPECT_EQ(values[5], static_cast<float>(static_cast<std::int32_t>(word) >> 8) *
                           (0.0346410162f / 8388608.0f));
}

TEST(RandomModel, FillsEveryTensorWithItsOwnValues) {
  const ModelConfig config = small_config();
  std::vector<std::string> seen;
  for (const auto& [name, shape] : expected_tensors(config)) {
    const std::vector<float> values = random_tensor(config, 7, name);
    std::int64_t elements = 1;
    for (const std::int64_t size : shape) elements *= size;
    ASSERT_EQ(static_cast<std::int64_t>(values.size()), elements) << name;
    if (shape.size() == 1) {
      for (const float value : values) EXPECT_EQ(value, 1.0f) << name;
      continue;
    }
    for (const std::string& other : seen) EXPECT_NE(digest(values), other) << name;
    seen.push_back(digest(values));
    EXPECT_NE(digest(values), digest(random_tensor(config, 8, name))) << name;
  }
}

TEST(RandomModel, HasTheStandardDeviationOfLlama) {
  ModelConfig config = small_config();
  config.vocab_size = 20000;
  double sum = 0, squares = 0, largest = 0;
  const std::vector<float> values = random_tensor(config, 1, "lm_head.weight");
  for (const float value : values) {
    sum += value;
    squares += double{value} * value;
    largest = std::max(largest, std::abs(double{value}));
  }
  const auto count = static_cast<double>(values.size());
  EXPECT_NEAR(sum / count, 0.0, 3 * 0.02 / std::sqrt(count));
  EXPECT_NEAR(std::sqrt(squares / count), 0.02, 1e-4);
  EXPECT_LE(largest, 0.0346411);
}

TEST(RandomModel, RefusesAnUnknownTensor) {
  EXPECT_THROW(random_tensor(small_config(), 1, "model.layers.2.mlp.up_proj.weight"), ModelError);
}

}  // namespace
}  // namespace twinrun::trainer
