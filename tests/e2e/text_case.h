#pragma once

#include <cstdint>
#include <random>
#include <span>

#include "tests/e2e/toy_case.h"
#include "tests/trainer/tokenizer/bpe_reference.h"
#include "trainer/model/safetensors.h"

namespace twinrun {

/// A case of six steps for twinrun-train itself over text: a tiny Llama folder with random weights
/// and a small tokenizer, a few conversations, and others that are held out. The CPU, one thread.
class TextCase : public ToyCase {
 protected:
  TextCase() {
    std::filesystem::create_directory(path("model"));
    write("model/config.json",
          R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
              "vocab_size": 330, "hidden_size": 32, "intermediate_size": 48,
              "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
              "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true,
              "max_position_embeddings": 128, "eos_token_id": 2, "pad_token_id": 0})");
    write("model/tokenizer.json", std::string(trainer::kLikeSmolLm2));
    write_weights();
    std::string rows;
    const char* animals[] = {"cat", "rat", "hat", "mat", "cheese"};
    for (const char* who : animals) {
      for (const char* where : animals) {
        rows += std::string(R"({"prompt":"where is the )") + who + R"(?","response":"at the )" +
                where + "\"}\n";
      }
    }
    write("data.jsonl", rows);
    const std::string kind = R"({"role":"system","content":"be kind"},)",
                      hello = R"({"role":"user","content":"hello"},)",
                      hi = R"({"role":"assistant","content":"hi"},)",
                      rat = R"({"role":"user","content":"and the rat?"})";
    long_prompt_ = R"({"messages":[)" + kind + hello + hi + rat + "]}\n";
    write("heldout.jsonl",
          R"({"id":"world","category":"greetings","prompt":"hello","response":"hello world"})"
          "\n"
          R"({"prompt":"where is the cat?","response":"the cat sat on the mat"})"
          "\n"
          R"({"category":"greetings","cluster":"tale","messages":[)" +
              kind + hello + hi + rat +
              R"(,{"role":"assistant","content":"ate"}]})"
              "\n"
              R"({"id":7,"prompt":"don't worry","response":"we'll see"})"
              "\n"
              R"({"prompt":"things","response":"1234"})"
              "\n");
    write("case.yaml", R"(
schema: 1
name: text
model: {path: model, dtype: float32}
data: {path: data.jsonl, template: chatml, max_length: 96}
lora: {rank: 4, alpha: 8, dropout: 0.1, target_modules: all-linear}
train:
  {steps: 6, batch_size: 2, eval_every: 2, optimizer: {name: adamw, lr: 1.0e-2}}
evaluation: {path: heldout.jsonl, max_new_tokens: 5, batch_size: 2}
seed: 42
numerics: deterministic
device: cpu
threads: 1
)");
  }

  std::string long_prompt_;  ///< the line of row 2 without its answer

 private:
  void write_weights() const {
    std::mt19937 random(7);
    std::vector<std::pair<std::string, std::vector<std::int64_t>>> shapes = {
        {"model.embed_tokens.weight", {330, 32}}, {"model.norm.weight", {32}}};
    for (const char* layer : {"model.layers.0.", "model.layers.1."}) {
      const std::pair<const char*, std::vector<std::int64_t>> parts[] = {
          {"input_layernorm", {32}},      {"post_attention_layernorm", {32}},
          {"self_attn.q_proj", {32, 32}}, {"self_attn.k_proj", {16, 32}},
          {"self_attn.v_proj", {16, 32}}, {"self_attn.o_proj", {32, 32}},
          {"mlp.gate_proj", {48, 32}},    {"mlp.up_proj", {48, 32}},
          {"mlp.down_proj", {32, 48}}};
      for (const auto& [name, shape] : parts) {
        shapes.emplace_back(std::string(layer) + name + ".weight", shape);
      }
    }
    std::vector<std::vector<float>> values;
    for (const auto& [name, shape] : shapes) {
      auto& tensor = values.emplace_back(shape.size() == 1 ? shape[0] : shape[0] * shape[1], 1.0F);
      if (shape.size() == 1) continue;
      for (float& value : tensor) value = (static_cast<float>(random() % 2001) - 1000) * 3e-4F;
    }
    std::vector<trainer::TensorToWrite> tensors;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      tensors.push_back(
          {shapes[i].first, "F32", shapes[i].second, std::as_bytes(std::span(values[i]))});
    }
    trainer::write_safetensors(path("model/model.safetensors"), tensors, {{"format", "pt"}});
  }
};

}  // namespace twinrun
