#include "trainer/lora/adapter.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

#include "harness/protocol/append_file.h"
#include "harness/protocol/tensor_digest.h"
#include "trainer/data/mt19937.h"
#include "trainer/model/safetensors.h"

namespace twinrun::trainer {
namespace {

constexpr std::int64_t kAlignElements = 16;

std::pair<std::int64_t, std::int64_t> in_out(const ModelConfig& m, LinearModule module) {
  const auto q = m.num_attention_heads * m.head_dim, kv = m.num_key_value_heads * m.head_dim;
  switch (module) {
    case LinearModule::kQProj:
      return {m.hidden_size, q};
    case LinearModule::kKProj:
    case LinearModule::kVProj:
      return {m.hidden_size, kv};
    case LinearModule::kOProj:
      return {q, m.hidden_size};
    case LinearModule::kGateProj:
    case LinearModule::kUpProj:
      return {m.hidden_size, m.intermediate_size};
    case LinearModule::kDownProj:
      return {m.intermediate_size, m.hidden_size};
  }
  TORCH_INTERNAL_ASSERT(false);
}

}  // namespace

std::string module_path(LinearModule module) {
  const auto index = static_cast<std::size_t>(module);
  return std::string(module < LinearModule::kGateProj ? "self_attn." : "mlp.") +
         kModuleNames[index];
}

std::vector<TensorToWrite> to_write(const std::vector<NamedTensor>& tensors) {
  std::vector<TensorToWrite> result;
  for (const auto& [name, tensor] : tensors) {
    TORCH_INTERNAL_ASSERT(tensor.is_cpu() && tensor.is_contiguous());
    result.push_back({name,
                      "F32",
                      tensor.sizes().vec(),
                      {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}});
  }
  return result;
}

void read_tensors(const std::filesystem::path& file, const std::vector<NamedTensor>& tensors) {
  const auto stored = Checkpoint::open_file(file);
  std::map<std::string, std::vector<std::int64_t>> expected;
  for (const auto& [name, tensor] : tensors) expected[name] = tensor.sizes().vec();
  stored.require(expected, /*tied=*/false);
  for (const auto& [name, tensor] : tensors) {
    const auto& source = stored.tensors().at(name);
    if (source.dtype != "F32") {
      throw ModelError(file.string() + ": " + name + " is " + source.dtype +
                       ", an adapter's tensors are F32");
    }
    const auto host = at::empty(tensor.sizes(), at::kFloat);
    std::memcpy(host.mutable_data_ptr(), source.data.data(), source.data.size());
    tensor.copy_(host);
  }
}

Adapter::Adapter(const ModelConfig& model, const LoraConfig& lora, at::Device device,
                 at::ScalarType compute_dtype)
    : config_(lora), index_(static_cast<std::size_t>(model.num_hidden_layers) * 7, -1) {
  std::int64_t total = 0;
  const auto add = [&](const std::string& name, std::int64_t rows, std::int64_t cols) {
    slots_.push_back({name, rows, cols, total});
    total += (rows * cols + kAlignElements - 1) / kAlignElements * kAlignElements;
  };
  for (std::int64_t layer = 0; layer < model.num_hidden_layers; ++layer) {
    for (std::uint32_t m = 0; m < 7; ++m) {
      const auto module = static_cast<LinearModule>(m);
      if (std::find(lora.target_modules.begin(), lora.target_modules.end(), kModuleNames[m]) ==
          lora.target_modules.end()) {
        continue;
      }
      const auto [in, out] = in_out(model, module);
      if (lora.rank < 1 || lora.rank > std::min(in, out)) {
        throw ModelError("lora.rank " + std::to_string(lora.rank) + " does not fit " +
                         module_path(module) + " of " + std::to_string(in) + " x " +
                         std::to_string(out) + "; it must be from 1 to the smaller of the two");
      }
      const auto name =
          "base_model.model.model.layers." + std::to_string(layer) + "." + module_path(module);
      index_[static_cast<std::size_t>(layer * 7 + m)] = static_cast<int>(targets_.size());
      targets_.emplace_back();
      add(name + ".lora_A.weight", lora.rank, in);
      add(name + ".lora_B.weight", out, lora.rank);
    }
  }
  if (targets_.empty()) throw ModelError("lora.target_modules names no linear of this model");
  const auto options = at::TensorOptions().dtype(at::kFloat).device(device);
  params_ = at::zeros({total}, options);
  micro_grads_ = at::zeros({total}, options);
  grads_ = at::zeros({total}, options);
  exp_avg_ = at::zeros({total}, options);
  exp_avg_sq_ = at::zeros({total}, options);
  compute_ = compute_dtype == at::kFloat ? params_ : params_.to(compute_dtype);
  for (std::size_t t = 0; t < targets_.size(); ++t) {
    targets_[t].weights = {view(compute_, slots_[2 * t]), view(compute_, slots_[2 * t + 1]),
                           lora.scaling()};
    targets_[t].grads = {view(micro_grads_, slots_[2 * t]), view(micro_grads_, slots_[2 * t + 1])};
  }
}

at::Tensor Adapter::view(const at::Tensor& flat, const Slot& slot) const {
  return flat.narrow(0, slot.offset, slot.rows * slot.cols).view({slot.rows, slot.cols});
}

std::vector<NamedTensor> Adapter::views(const at::Tensor& flat, const std::string& suffix) const {
  std::vector<NamedTensor> result;
  result.reserve(slots_.size());
  for (const auto& slot : slots_) result.push_back({slot.name + suffix, view(flat, slot)});
  return result;
}

std::vector<NamedTensor> Adapter::optimizer_views(const at::Tensor& exp_avg,
                                                  const at::Tensor& exp_avg_sq) const {
  auto result = views(exp_avg, ".exp_avg");
  for (auto& named : views(exp_avg_sq, ".exp_avg_sq")) result.push_back(std::move(named));
  return result;
}

std::vector<NamedTensor> Adapter::host_optimizer() const {
  return optimizer_views(exp_avg_.cpu(), exp_avg_sq_.cpu());
}

void Adapter::init(std::uint64_t seed, at::ScalarType base_dtype) {
  TorchMt19937 generator(seed);
  auto host = at::zeros(params_.sizes(), at::kFloat);
  auto* data = host.mutable_data_ptr<float>();
  for (std::size_t t = 0; t < targets_.size(); ++t) {
    const auto& a = slots_[2 * t];
    const auto& b = slots_[2 * t + 1];
    // nn.Linear's constructors draw for A and B; PEFT's reset draws A again and zeroes B.
    for (std::int64_t i = 0; i < a.rows * a.cols + b.rows * b.cols; ++i) generator.next();
    kaiming_uniform_torch(generator, {data + a.offset, static_cast<std::size_t>(a.rows * a.cols)},
                          a.cols);
  }
  params_.copy_(base_dtype == at::kFloat ? host : host.to(base_dtype).to(at::kFloat));
  refresh();
}

void Adapter::set_scaling(double scaling) {
  for (auto& target : targets_) target.weights.scaling = scaling;
}

void Adapter::refresh() {
  if (!compute_.is_same(params_)) compute_.copy_(params_);
}

const LoraWeights* Adapter::weights(std::int64_t layer, LinearModule module) const {
  const auto t = index_[static_cast<std::size_t>(layer * 7 + static_cast<std::int64_t>(module))];
  return t < 0 ? nullptr : &targets_[static_cast<std::size_t>(t)].weights;
}

const LoraGrads* Adapter::grads(std::int64_t layer, LinearModule module) const {
  const auto t = index_[static_cast<std::size_t>(layer * 7 + static_cast<std::int64_t>(module))];
  return t < 0 ? nullptr : &targets_[static_cast<std::size_t>(t)].grads;
}

std::int64_t Adapter::input_features() const {
  std::int64_t sum = 0;
  for (std::size_t t = 0; t < targets_.size(); ++t) sum += slots_[2 * t].cols;
  return sum;
}

protocol::Digest Adapter::digest() const {
  std::vector<protocol::NamedDigest> digests;
  for (const auto& [name, tensor] : host_params()) {
    const std::span data(static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes());
    digests.emplace_back(name, protocol::tensor_digest("float32", tensor.sizes(), data));
  }
  return protocol::group_digest(std::move(digests));
}

void Adapter::load(const std::filesystem::path& folder) {
  // Tensors of the right shape would load with another scaling, too.
  const auto config = folder / "adapter_config.json";
  if (std::filesystem::exists(config)) require_adapter_config(config, config_);
  read_tensors(folder / "adapter_model.safetensors", named_params());
  refresh();
}

void Adapter::save(const std::filesystem::path& folder, const std::string& base_model) const {
  std::filesystem::create_directories(folder);
  write_safetensors(folder / "adapter_model.safetensors", to_write(host_params()),
                    {{"format", "pt"}});
  protocol::write_file_atomically(folder / "adapter_config.json",
                                  adapter_config_json(config_, base_model).dump(2) + "\n");
}

}  // namespace twinrun::trainer
