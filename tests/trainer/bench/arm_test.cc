#include "trainer/bench/arm.h"

#include <ATen/Context.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/temp_folder.h"

namespace twinrun::trainer {
namespace {

constexpr const char* kModel =
    R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "vocab_size": 61, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "tie_word_embeddings": false})";

// `portable`: MKL_CBWR of `deterministic` comes too late where an earlier test has used MKL.
TEST(Arm, IsNotReadyIfASwitchMovedWhileItWarmedUp) {
  const test::TempFolder folder;
  TrainConfig config;
  config.model_path = folder.write("model.json", kModel);
  config.random_model_seed = 7;
  config.model_digests = nlohmann::json::object();
  config.synthetic = {{"samples", 8}, {"length", 6}, {"vocab_size", 61}, {"seed", 3}};
  config.lora = {.rank = 2, .alpha = 4, .dropout = 0, .target_modules = {"q_proj"}};
  config.steps = 3;
  config.batch_size = 2;
  config.lr = 1e-3;
  config.schedule = "constant";
  config.numerics = {
      .mode = "portable", .dtype = "float32", .device = "cpu", .isa = "auto", .threads = 1};
  const BenchOptions options{.warmup_steps = 1, .delay = 0, .switches = {}};
  Arm arm(config, options);
  EXPECT_EQ(arm.warm_up().at("ready"), true);
  Arm moved(config, options);
  at::globalContext().setBenchmarkCuDNN(true);
  EXPECT_THAT(test::message_of<std::runtime_error>([&] { moved.warm_up(); }),
              testing::HasSubstr("the switch cudnn_benchmark was set to false"));
  at::globalContext().setBenchmarkCuDNN(false);
}

}  // namespace
}  // namespace twinrun::trainer
