#include <ATen/ATen.h>

#include <cstring>
#include <stdexcept>

#include "trainer/model/llama.h"
#include "trainer/model/random_model.h"
#include "trainer/model/safetensors.h"

namespace twinrun::trainer {
namespace {

/// Sorts named tensors into their places. `make` yields the tensor of a name.
template <typename Make>
LlamaWeights assemble(const ModelConfig& config, Make make) {
  LlamaWeights w;
  const auto take = [&](const std::string& name) {
    auto tensor = make(name);
    w.named.push_back({name, tensor});
    return tensor;
  };
  w.embed_tokens = take("model.embed_tokens.weight");
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const auto prefix = "model.layers." + std::to_string(i) + ".";
    auto& layer = w.layers.emplace_back();
    layer.input_norm = take(prefix + "input_layernorm.weight");
    for (std::uint32_t m = 0; m < 7; ++m) {
      layer.linears[m] = take(prefix + module_path(static_cast<LinearModule>(m)) + ".weight");
    }
    layer.post_norm = take(prefix + "post_attention_layernorm.weight");
  }
  w.norm = take("model.norm.weight");
  w.lm_head = config.tie_word_embeddings ? w.embed_tokens : take("lm_head.weight");
  return w;
}

at::ScalarType stored_type(const std::string& name, const std::string& dtype) {
  if (dtype == "F32") return at::kFloat;
  if (dtype == "BF16") return at::kBFloat16;
  if (dtype == "F16") return at::kHalf;
  throw std::logic_error("Checkpoint::require let " + name + " of " + dtype + " pass");
}

}  // namespace

LlamaWeights load_llama(const std::filesystem::path& folder, const ModelConfig& config,
                        at::ScalarType dtype, at::Device device) {
  const auto checkpoint = Checkpoint::open(folder);
  checkpoint.require(expected_tensors(config), config.tie_word_embeddings);
  return assemble(config, [&](const std::string& name) {
    const auto& stored = checkpoint.tensors().at(name);
    // By bytes: a tensor in the file need not be aligned.
    const auto source = at::empty(stored.shape, stored_type(name, stored.dtype));
    std::memcpy(source.mutable_data_ptr(), stored.data.data(), stored.data.size());
    return source.to(at::TensorOptions().dtype(dtype).device(device));
  });
}

LlamaWeights random_llama(const ModelConfig& config, std::uint64_t seed, at::ScalarType dtype,
                          at::Device device) {
  const auto shapes = expected_tensors(config);
  return assemble(config, [&](const std::string& name) {
    auto values = random_tensor(config, seed, name);
    return at::from_blob(values.data(), shapes.at(name), at::kFloat)
        .to(at::TensorOptions().dtype(dtype).device(device), /*non_blocking=*/false, /*copy=*/true);
  });
}

}  // namespace twinrun::trainer
