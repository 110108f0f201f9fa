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
