#include "trainer/lora/adapter.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/temp_folder.h"
#include "tests/trainer/tiny_model.h"

namespace twinrun::trainer {
namespace {

TEST(Adapter, NamesAreThoseOfPeftInDrawingOrder) {
  const Adapter adapter(tiny_config(), {.rank = 2, .target_modules = {"v_proj", "down_proj"}},
                        at::kCPU, at::kFloat);
  const auto named = adapter.named_params();
  ASSERT_EQ(named.size(), 8U);
  EXPECT_EQ(named[0].name, "base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight");
  EXPECT_EQ(named[3].name, "base_model.model.model.layers.0.mlp.down_proj.lora_B.weight");
  EXPECT_EQ(named[4].name, "base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight");
}

TEST(Adapter, InitSeedsAAndZeroesB) {
  Adapter one(tiny_config(), tiny_lora(), at::kCPU, at::kFloat),
      two(tiny_config(), tiny_lora(), at::kCPU, at::kFloat);
  one.init(42, at::kFloat);
  two.init(43, at::kFloat);
  for (const auto& [name, tensor] : one.named_params()) {
    const bool is_b = name.find("lora_B") != std::string::npos;
    EXPECT_EQ(tensor.abs().max().item<float>() == 0, is_b) << name;
  }
  EXPECT_FALSE(at::equal(one.params(), two.params()));
  two.init(42, at::kFloat);
  EXPECT_TRUE(at::equal(one.params(), two.params()));
}

TEST(Adapter, InitOverABFloat16BaseIsRoundedToIt) {
  Adapter adapter(tiny_config(), tiny_lora(), at::kCPU, at::kBFloat16);
  adapter.init(42, at::kBFloat16);
  EXPECT_TRUE(at::equal(adapter.params(), adapter.params().to(at::kBFloat16).to(at::kFloat)));
}

TEST(Adapter, LoadsWhatItSaved) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "adapter_round_trip";
  Adapter one(tiny_config(), tiny_lora(), at::kCPU, at::kFloat),
      two(tiny_config(), tiny_lora(), at::kCPU, at::kFloat);
  one.init(7, at::kFloat);
  for (auto& named : one.named_params()) named.tensor.add_(0.125);
  one.save(folder, "base");
  two.load(folder);
  const auto a = one.named_params(), b = two.named_params();
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_TRUE(at::equal(a[i].tensor, b[i].tensor)) << a[i].name;
  std::filesystem::remove_all(folder);
}

// PEFT has defaults of its own for both, so one that leaves them out is not of any rank or alpha.
TEST(Adapter, RefusesAConfigurationWithoutRankOrAlpha) {
  const test::TempFolder folder;
  Adapter adapter(tiny_config(), tiny_lora(), at::kCPU, at::kFloat);
  adapter.save(folder.path(), "base");
  const auto whole = nlohmann::json::parse(test::read_file(folder.path() / "adapter_config.json"));
  for (const std::string key : {"r", "lora_alpha"}) {
    auto config = whole;
    config.erase(key);
    folder.write("adapter_config.json", config.dump());
    EXPECT_THAT(test::message_of<ModelError>([&] { adapter.load(folder.path()); }),
                testing::HasSubstr(key + " is missing, the configuration needs "));
  }
  // The others may be left out: what they have to be is PEFT's default.
  auto config = whole;
  for (const char* key : {"bias", "fan_in_fan_out", "use_dora", "use_rslora"}) config.erase(key);
  folder.write("adapter_config.json", config.dump());
  EXPECT_NO_THROW(adapter.load(folder.path()));
}

TEST(Adapter, RefusesByNameWhatWouldMakeItAnotherAdapter) {
  const test::TempFolder folder;
  Adapter adapter(tiny_config(), tiny_lora(), at::kCPU, at::kFloat);
  adapter.save(folder.path(), "base");
  const auto whole = nlohmann::json::parse(test::read_file(folder.path() / "adapter_config.json"));
  const auto load_with = [&](const std::string& field, const nlohmann::json& value) {
    auto config = whole;
    config[field] = value;
    folder.write("adapter_config.json", config.dump());
    return test::message_of<ModelError>([&] { adapter.load(folder.path()); });
  };
  const std::pair<const char*, nlohmann::json> others[] = {{"r", 5},
                                                           {"lora_alpha", 9},
                                                           {"target_modules", {"q_proj"}},
                                                           {"target_modules", ".*proj"},
                                                           {"target_modules", nullptr},
                                                           {"use_rslora", true},
                                                           {"bias", "all"},
                                                           {"use_dora", true},
                                                           {"fan_in_fan_out", true},
                                                           {"lora_bias", true},
                                                           {"rank_pattern", {{"q_proj", 2}}},
                                                           {"alpha_pattern", {{"q_proj", 2}}},
                                                           {"modules_to_save", {"lm_head"}},
                                                           {"layers_to_transform", {0}},
                                                           {"exclude_modules", {"k_proj"}},
                                                           {"trainable_token_indices", {1, 2}},
                                                           {"target_parameters", {"x"}},
                                                           {"init_lora_weights", "pissa"},
                                                           {"peft_type", "LOHA"},
                                                           {"use_something_new", true}};
  for (const auto& [field, value] : others) {
    EXPECT_THAT(load_with(field, value),
                testing::AllOf(testing::HasSubstr("adapter_config.json: "),
                               testing::HasSubstr(std::string(field) + " is " + value.dump())))
        << field;
  }
  const std::pair<const char*, nlohmann::json> same[] = {
      {"target_modules", "all-linear"}, {"lora_dropout", 0.5},
      {"rank_pattern", nullptr},        {"revision", "main"},
      {"peft_version", "0.21.2"},       {"init_lora_weights", false},
      {"megatron_core", "megatron"},    {"layer_replication", nullptr}};
  for (const auto& [field, value] : same) EXPECT_EQ(load_with(field, value), "") << field;
  folder.write("adapter_config.json", "{");
  EXPECT_THAT(test::message_of<ModelError>([&] { adapter.load(folder.path()); }),
              testing::HasSubstr("adapter_config.json: "));
}

TEST(Adapter, RefusesATensorFileThatIsCut) {
  const test::TempFolder folder;
  Adapter adapter(tiny_config(), tiny_lora(), at::kCPU, at::kFloat);
  adapter.save(folder.path(), "base");
  const auto file = folder.path() / "adapter_model.safetensors";
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 4);
  EXPECT_THAT(test::message_of<ModelError>([&] { adapter.load(folder.path()); }),
              testing::HasSubstr("adapter_model.safetensors"));
}

TEST(Adapter, RankStabilizedScalingDividesByTheRoot) {
  auto lora = tiny_lora();
  EXPECT_EQ(lora.scaling(), 8.0 / 4.0);
  lora.use_rslora = true;
  EXPECT_EQ(lora.scaling(), 8.0 / 2.0);
  const Adapter adapter(tiny_config(), lora, at::kCPU, at::kFloat);
  EXPECT_EQ(adapter.weights(0, LinearModule::kQProj)->scaling, 4.0);
  const test::TempFolder folder;
  adapter.save(folder.path(), "base");
  EXPECT_EQ(nlohmann::json::parse(test::read_file(folder.path() / "adapter_config.json"))
                .at("use_rslora"),
            true);
}

TEST(Adapter, RefusesARankThatDoesNotFitAndNoTarget) {
  EXPECT_THROW(
      Adapter(tiny_config(), {.rank = 17, .target_modules = {"k_proj"}}, at::kCPU, at::kFloat),
      ModelError);
  EXPECT_THROW(
      Adapter(tiny_config(), {.rank = 0, .target_modules = {"k_proj"}}, at::kCPU, at::kFloat),
      ModelError);
  EXPECT_THROW(Adapter(tiny_config(), {.rank = 2, .target_modules = {}}, at::kCPU, at::kFloat),
               ModelError);
}

}  // namespace
}  // namespace twinrun::trainer
