#include "trainer/train/train_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/protocol/inference.h"
#include "tests/temp_folder.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;
using testing::HasSubstr;

InferenceConfig read(json inference) {
  return read_inference_config({{}, {}, {{"inference", std::move(inference)}}});
}

std::string complaint(const json& inference) {
  return test::message_of<ConfigError>([&] { read(inference); });
}

TEST(InferenceConfig, IsReadAsItStandsAndHasDefaults) {
  const auto some = read({{"prompts", "p.jsonl"}, {"top", 1'000'000}, {"batch_size", 3}});
  EXPECT_EQ(some.top, 1'000'000);
  EXPECT_EQ(some.batch_size, 3);
  EXPECT_EQ(some.max_new_tokens, protocol::kInferenceNewTokens);
  const auto none = read_inference_config({{}, {}, json::object()});
  EXPECT_EQ(none.top, protocol::kInferenceTop);
  EXPECT_EQ(none.batch_size, protocol::kInferenceBatchSize);
}

TEST(InferenceConfig, NumbersOutOfRangeOrOfAnotherTypeAreNamed) {
  for (const char* key : {"max_new_tokens", "batch_size", "top"}) {
    for (const json& value : std::vector<json>{0, -1, 1.5, "4", nullptr, 1000001,
                                               9223372036854775807, 18446744073709551615u}) {
      EXPECT_THAT(complaint({{key, value}}), HasSubstr(std::string("/launch/inference/") + key))
          << value;
    }
  }
}

TEST(InferenceConfig, WhatIsNoObjectIsRefused) {
  for (const json& value : std::vector<json>{nullptr, 32, "top", json::array()}) {
    EXPECT_THAT(complaint(value), HasSubstr("/launch/inference is " + value.dump()));
  }
}

}  // namespace
}  // namespace twinrun::trainer
