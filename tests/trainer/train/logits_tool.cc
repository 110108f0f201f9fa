// logits_tool MODEL_DIR IDS.json OUT.safetensors [--adapter DIR] [--dtype DTYPE]
//
// Logits of every position, float32 [B, T, V], as tensor "logits", and the rotary tables of its T
// positions, float32 [T, E], as "cos" and "sin": for the parity tests against transformers and
// PEFT. IDS.json is {"input_ids": [[...], ...]}, rows of one length, and for packed samples
// "segments": [[begin, length], ...].

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <fstream>
#include <iostream>

#include "trainer/model/llama.h"
#include "trainer/model/safetensors.h"
#include "trainer/numerics/numerics.h"
#include "trainer/ops/torch/torch_ops.h"

namespace {

using namespace twinrun::trainer;

nlohmann::json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return nlohmann::json::parse(file);
}

std::unique_ptr<Adapter> load_adapter(const std::filesystem::path& folder, const ModelConfig& model,
                                      at::ScalarType dtype) {
  const auto json = read_json(folder / "adapter_config.json");
  LoraConfig lora{json.at("r"), json.at("lora_alpha"), 0, json.at("target_modules"),
                  json.value("use_rslora", false)};
  auto adapter = std::make_unique<Adapter>(model, lora, at::kCPU, dtype);
  adapter->load(folder);
  return adapter;
}

std::vector<Segment> segments_of(const nlohmann::json& input) {
  std::vector<Segment> segments;
  for (const auto& pair : input.value("segments", nlohmann::json::array())) {
    segments.push_back({pair.at(0), pair.at(1)});
  }
  return segments;
}

TensorToWrite named(const std::string& name, const at::Tensor& t) {
  return {name,
          "F32",
          t.sizes().vec(),
          {static_cast<const std::byte*>(t.const_data_ptr()), t.nbytes()}};
}

int run(const std::vector<std::string>& args) {
  if (args.size() < 3)
    throw std::runtime_error(
        "usage: logits_tool MODEL_DIR IDS.json OUT [--adapter DIR] [--dtype D]");
  std::string adapter_dir, dtype_name = "float32";
  for (std::size_t i = 3; i + 1 < args.size(); i += 2) {
    (args[i] == "--adapter" ? adapter_dir : dtype_name) = args[i + 1];
  }
  const c10::InferenceMode inference;
  const std::filesystem::path folder = args[0];
  const auto config = read_model_config(folder / "config.json");
  const auto dtype = compute_dtype(dtype_name);
  const auto ops = make_torch_ops();
  const auto adapter = adapter_dir.empty() ? nullptr : load_adapter(adapter_dir, config, dtype);
  Llama model(config, load_llama(folder, config, dtype, at::kCPU), *ops, adapter.get());

  const auto input = read_json(args[1]);
  const auto rows = input.at("input_ids").get<std::vector<std::vector<std::int64_t>>>();
  std::vector<std::int64_t> flat;
  for (const auto& row : rows) flat.insert(flat.end(), row.begin(), row.end());
  const auto ids = at::tensor(flat, at::kLong).view({static_cast<std::int64_t>(rows.size()), -1});
  const auto logits = model.logits(ids, segments_of(input)).contiguous();
  const auto [cos, sin] = ops->rope_tables(config.rope, config.head_dim, ids.size(1), at::kFloat);
  write_safetensors(args[2], {named("logits", logits), named("cos", cos), named("sin", sin)}, {});
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "logits_tool: " << error.what() << "\n";
    return 2;
  }
}
