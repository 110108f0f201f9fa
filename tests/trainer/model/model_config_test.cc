#include "trainer/model/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/temp_folder.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// As SmolLM2-135M-Instruct's config.json reads.
json smollm2() {
  return json::parse(R"({
    "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
    "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 576,
    "initializer_range": 0.041666666666666664, "intermediate_size": 1536, "is_llama_config": true,
    "max_position_embeddings": 8192, "mlp_bias": false, "model_type": "llama",
    "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3, "pad_token_id": 2,
    "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_interleaved": false, "rope_scaling": null,
    "rope_theta": 100000, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
    "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16", "fp16": "float16"}},
    "transformers_version": "4.42.3", "use_cache": true, "vocab_size": 49152})");
}

ModelConfig read(const json& object) {
  const test::TempFolder folder;
  return read_model_config(folder.write("config.json", object.dump()));
}

std::string refusal(const json& object) {
  return test::message_of<ModelError>([&] { read(object); });
}

std::string refusal_with(const std::string& field, const json& value) {
  json object = smollm2();
  object[field] = value;
  return refusal(object);
}

TEST(ModelConfig, ReadsSmolLm2) {
  const ModelConfig config = read(smollm2());
  EXPECT_EQ(config.vocab_size, 49152);
  EXPECT_EQ(config.hidden_size, 576);
  EXPECT_EQ(config.intermediate_size, 1536);
  EXPECT_EQ(config.num_hidden_layers, 30);
  EXPECT_EQ(config.num_attention_heads, 9);
  EXPECT_EQ(config.num_key_value_heads, 3);
  EXPECT_EQ(config.head_dim, 64);
  EXPECT_EQ(config.rope.theta, 100000.0);
  EXPECT_EQ(config.rms_norm_eps, 1e-5);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_EQ(config.pad_token_id, 2);
  EXPECT_EQ(config.eos_token_id, 2);
}

TEST(ModelConfig, ReadsWhatTransformers5Writes) {
  json object = smollm2();
  object.erase("rope_theta");
  object.erase("rope_scaling");
  object["rope_parameters"] = {{"rope_theta", 5000.5}, {"rope_type", "default"}};
  object["dtype"] = "float32";
  object["head_dim"] = 32;
  const ModelConfig config = read(object);
  EXPECT_EQ(config.rope.theta, 5000.5);
  EXPECT_EQ(config.head_dim, 32);
}

// As Llama-3.2-1B-Instruct's config.json reads.
json llama32() {
  return json::parse(R"({
    "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
    "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009], "head_dim": 64,
    "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02,
    "intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": false,
    "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16,
    "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
    "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                     "original_max_position_embeddings": 8192, "rope_type": "llama3"},
    "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
    "transformers_version": "4.45.0.dev0", "use_cache": true, "vocab_size": 128256})");
}

// As Mistral-7B-v0.1's config.json reads.
json mistral() {
  return json::parse(R"({
    "architectures": ["MistralForCausalLM"], "bos_token_id": 1, "eos_token_id": 2,
    "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02,
    "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mistral",
    "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
    "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": 4096,
    "tie_word_embeddings": false, "torch_dtype": "bfloat16",
    "transformers_version": "4.34.0.dev0", "use_cache": true, "vocab_size": 32000})");
}

TEST(ModelConfig, ReadsLlama32) {
  const ModelConfig config = read(llama32());
  EXPECT_EQ(config.rope.theta, 500000.0);
  EXPECT_EQ(config.rope.llama3, (Llama3Scaling{.factor = 32,
                                               .low_freq_factor = 1,
                                               .high_freq_factor = 4,
                                               .original_max_positions = 8192}));
  EXPECT_EQ(config.head_dim, 64);
  EXPECT_EQ(config.eos_token_id, 128001);
  EXPECT_EQ(config.sliding_window, 0);
}

TEST(ModelConfig, ReadsTheScalingOfEveryTransformers) {
  const RopeConfig expected = read(llama32()).rope;
  json legacy = llama32();
  legacy["rope_scaling"]["type"] = "llama3";
  EXPECT_EQ(read(legacy).rope, expected);
  legacy["rope_scaling"].erase("rope_type");
  EXPECT_EQ(read(legacy).rope, expected);
  json five = llama32();
  five["rope_parameters"] = five["rope_scaling"];
  five["rope_parameters"]["rope_theta"] = five["rope_theta"];
  EXPECT_EQ(read(five).rope, expected);
  five.erase("rope_scaling");
  five.erase("rope_theta");
  EXPECT_EQ(read(five).rope, expected);
}

TEST(ModelConfig, ReadsMistral) {
  EXPECT_EQ(read(mistral()).sliding_window, 4096);
  EXPECT_EQ(read(mistral()).num_key_value_heads, 8);
  json object = mistral();
  object["sliding_window"] = nullptr;
  EXPECT_EQ(read(object).sliding_window, 0);
  object["num_key_value_heads"] = nullptr;
  EXPECT_EQ(read(object).num_key_value_heads, 32);
  object.erase("sliding_window");
  object.erase("num_key_value_heads");
  EXPECT_EQ(read(object).sliding_window, 4096);
  EXPECT_EQ(read(object).num_key_value_heads, 8);
}

TEST(ModelConfig, RefusesAScalingThatIsNotBuiltOrNotWhole) {
  const auto refusal_of = [](const std::string& key, const json& value) {
    json object = llama32();
    object["rope_scaling"][key] = value;
    return refusal(object);
  };
  for (const char* type : {"linear", "dynamic", "yarn", "longrope", "LLAMA3"}) {
    EXPECT_THAT(refusal_of("rope_type", type),
                HasSubstr("field 'rope_scaling.rope_type' is \"" + std::string(type) + "\"; only"));
  }
  for (const char* key :
       {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
    const std::string field = "field 'rope_scaling." + std::string(key) + "'";
    EXPECT_THAT(refusal_of(key, nullptr), HasSubstr(field + " is missing"));
    EXPECT_THAT(refusal_of(key, 0), HasSubstr(field));
    EXPECT_THAT(refusal_of(key, "8"), HasSubstr(field));
  }
  EXPECT_THAT(refusal_of("high_freq_factor", 1.0),
              HasSubstr("field 'rope_scaling.high_freq_factor' is not above low_freq_factor"));
  EXPECT_THAT(refusal_of("attention_factor", 1.0),
              HasSubstr("field 'rope_scaling.attention_factor'"));
  json both = llama32();
  both["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 500000.0}};
  EXPECT_THAT(refusal(both), HasSubstr("field 'rope_parameters' scales otherwise"));
}

TEST(ModelConfig, RefusesAWindowThatIsNone) {
  for (const json& value : {json(0), json(-1), json(4096.5), json("4096"), json(1ULL << 40)}) {
    json object = mistral();
    object["sliding_window"] = value;
    EXPECT_THAT(refusal(object), HasSubstr("field 'sliding_window' is " + value.dump()));
  }
  EXPECT_THAT(refusal_with("sliding_window", 4096), HasSubstr("mistral"));
}

TEST(ModelConfig, RefusesAFamilyThatIsNotBuiltOrMixed) {
  for (const char* type : {"qwen2", "gemma2", "phi3", "mixtral", "ministral"}) {
    EXPECT_THAT(refusal_with("model_type", type),
                HasSubstr("field 'model_type' is \"" + std::string(type) + "\"; only"));
  }
  EXPECT_THAT(refusal_with("model_type", "mistral"), HasSubstr("field 'architectures'"));
  json object = mistral();
  object["model_type"] = "llama";
  EXPECT_THAT(refusal(object), HasSubstr("field 'architectures'"));
  object.erase("model_type");
  EXPECT_THAT(refusal(object), HasSubstr("field 'model_type' is missing"));
}

TEST(ModelConfig, FillsInWhatTransformersWould) {
  json object = smollm2();
  for (const char* field : {"rope_theta", "rms_norm_eps", "num_key_value_heads", "pad_token_id",
                            "tie_word_embeddings", "hidden_act"}) {
    object.erase(field);
  }
  object["eos_token_id"] = {7, 8};
  const ModelConfig config = read(object);
  EXPECT_EQ(config.rope.theta, 10000.0);
  EXPECT_EQ(config.rms_norm_eps, 1e-6);
  EXPECT_EQ(config.num_key_value_heads, 9);
  EXPECT_FALSE(config.tie_word_embeddings);
  EXPECT_EQ(config.eos_token_id, 7);
  EXPECT_EQ(config.pad_token_id, 7);
  object.erase("eos_token_id");
  EXPECT_EQ(read(object).eos_token_id, std::nullopt);
  EXPECT_EQ(read(object).pad_token_id, 0);
}

TEST(ModelConfig, RefusesByNameWhatIsNotBuilt) {
  const std::pair<const char*, json> refused[] = {
      {"model_type", "qwen2"},
      {"architectures", {"LlamaForSequenceClassification"}},
      {"hidden_act", "gelu"},
      {"attention_bias", true},
      {"mlp_bias", true},
      {"attention_dropout", 0.1},
      {"pretraining_tp", 2},
      {"rope_interleaved", true},
      {"sliding_window", 4096},
      {"use_sliding_window", true},
      {"quantization_config", {{"bits", 4}}},
      {"rope_scaling", {{"rope_type", "llama3"}, {"factor", 8.0}}},
      {"rope_parameters", {{"rope_type", "default"}, {"partial_rotary_factor", 0.5}}},
      {"rope_parameters", {{"rope_theta", 1.0}}},
      {"logit_scale", 0.5},
  };
  for (const auto& [field, value] : refused) {
    EXPECT_THAT(refusal_with(field, value), HasSubstr("field '" + std::string(field))) << value;
  }
}

TEST(ModelConfig, RefusesWrongTypesAndRanges) {
  const std::pair<const char*, json> refused[] = {
      {"vocab_size", "49152"},
      {"vocab_size", 49152.0},
      {"vocab_size", 0},
      {"hidden_size", -576},
      {"hidden_size", 1e30},
      {"num_hidden_layers", 10001},
      {"hidden_size", 577},
      {"num_key_value_heads", 2},
      {"head_dim", 63},
      {"rope_theta", 0},
      {"rope_theta", "x"},
      {"rms_norm_eps", -1e-5},
      {"pad_token_id", 49152},
      {"pad_token_id", -1},
      {"eos_token_id", 49152},
      {"eos_token_id", "</s>"},
      {"eos_token_id", {-1}},
      {"tie_word_embeddings", 1},
      {"rope_scaling", "default"},
      {"hidden_size", 1ull << 63},
      {"hidden_size", nullptr},
      {"eos_token_id", json::array()},
  };
  for (const auto& [field, value] : refused) {
    EXPECT_NE(refusal_with(field, value), "") << field << ": " << value;
  }
}

TEST(ModelConfig, NamesTheFileThatIsNoObject) {
  const test::TempFolder folder;
  for (const char* text : {"", "[]", "{\"vocab_size\":1,\"vocab_size\":2}", "{"}) {
    const auto file = folder.write("config.json", text);
    EXPECT_THAT(test::message_of<ModelError>([&] { read_model_config(file); }),
                HasSubstr(file.string()));
  }
  const auto missing = folder.path() / "none.json";
  EXPECT_THAT(test::message_of<ModelError>([&] { read_model_config(missing); }),
              HasSubstr("No such file"));
  EXPECT_THAT(test::message_of<ModelError>([&] { read_model_config(folder.path()); }),
              HasSubstr("is a folder"));
}

}  // namespace
}  // namespace twinrun::trainer
