#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "harness/protocol/sha256.h"
#include "trainer/data/philox.h"
#include "trainer/lora/adapter_config.h"
#include "trainer/model/model_config.h"
#include "trainer/model/safetensors.h"
#include "trainer/ops/leaf_hash.h"
#include "trainer/ops/op_set.h"

namespace twinrun::trainer {

/// By LinearModule: the order of torch's named_modules, which is PEFT's drawing order.
inline constexpr std::array<const char*, 7> kModuleNames = {
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};

/// "self_attn.q_proj", "mlp.up_proj", ...
std::string module_path(LinearModule module);

/// Float32 host tensors as write_safetensors takes them; they have to outlive the result.
std::vector<TensorToWrite> to_write(const std::vector<NamedTensor>& tensors);

/// Copies the tensors of a safetensors file, which has to hold exactly these, into `tensors`.
/// Throws ModelError: file, tensor, what is wrong.
void read_tensors(const std::filesystem::path& file, const std::vector<NamedTensor>& tensors);

/// All trainable parameters, their gradients and their optimizer state, each in one flat float32
/// buffer, so that an optimizer step is one pass. A tensor starts at a multiple of 64 bytes; what
/// lies between is zero and stays zero.
class Adapter {
 public:
  /// Throws ModelError unless 1 <= rank <= the smallest side of every target, and at least one
  /// target.
  Adapter(const ModelConfig& model, const LoraConfig& lora, at::Device device,
          at::ScalarType compute_dtype);

  /// PEFT's initial values for `seed`: A Kaiming-uniform from torch's CPU generator, three draws a
  /// module (A, B, A again), B zero. With a bfloat16 base A is rounded to it, then kept in float32.
  void init(std::uint64_t seed, at::ScalarType base_dtype);

  /// Reads adapter_model.safetensors of a folder that save() or PEFT wrote. Throws ModelError:
  /// other tensors than this adapter's, none float32, an adapter_config.json beside it that
  /// describes another adapter (require_adapter_config).
  void load(const std::filesystem::path& folder);

  /// adapter_model.safetensors and adapter_config.json, as PEFT writes and loads them.
  void save(const std::filesystem::path& folder, const std::string& base_model) const;

  /// The group digest that save() would leave, as the judge computes it.
  protocol::Digest digest() const;

  /// Copies the master weights into the compute dtype; call after every update.
  void refresh();

  /// Another scaling than the configuration's, for every target: a planted fault (docs/faults.md).
  void set_scaling(double scaling);

  /// Null if the module is not a target.
  const LoraWeights* weights(std::int64_t layer, LinearModule module) const;
  /// Views into micro_grads_flat(), or null.
  const LoraGrads* grads(std::int64_t layer, LinearModule module) const;

  /// Input features of all targets together: the dropout draws that one token takes.
  std::int64_t input_features() const;

  at::Tensor& params() { return params_; }
  /// Of one micro-batch: what the views of grads() are parts of.
  at::Tensor& micro_grads_flat() { return micro_grads_; }
  /// Of the whole step.
  at::Tensor& grads_flat() { return grads_; }
  at::Tensor& exp_avg() { return exp_avg_; }
  at::Tensor& exp_avg_sq() { return exp_avg_sq_; }

  /// Named views, in drawing order; the names are those of adapter_model.safetensors.
  std::vector<NamedTensor> named_params() const { return views(params_, ""); }
  std::vector<NamedTensor> named_grads() const { return views(grads_, ""); }
  /// `<name>.exp_avg` and `<name>.exp_avg_sq`.
  std::vector<NamedTensor> named_optimizer() const {
    return optimizer_views(exp_avg_, exp_avg_sq_);
  }

  /// The same as they are now, on the host.
  std::vector<NamedTensor> host_params() const { return views(params_.cpu(), ""); }
  std::vector<NamedTensor> host_optimizer() const;

 private:
  struct Slot {
    std::string name;
    std::int64_t rows = 0, cols = 0, offset = 0;
  };
  struct Target {
    LoraWeights weights;
    LoraGrads grads;
  };
  std::vector<NamedTensor> views(const at::Tensor& flat, const std::string& suffix) const;
  std::vector<NamedTensor> optimizer_views(const at::Tensor& exp_avg,
                                           const at::Tensor& exp_avg_sq) const;
  at::Tensor view(const at::Tensor& flat, const Slot& slot) const;

  LoraConfig config_;
  std::vector<Slot> slots_;      ///< A, B, A, B, ... of the targets in drawing order
  std::vector<Target> targets_;  ///< one a pair of slots
  std::vector<int> index_;       ///< [layer * 7 + module] to targets_, -1: no target
  at::Tensor params_, micro_grads_, grads_, exp_avg_, exp_avg_sq_;
  at::Tensor compute_;  ///< params_ itself in float32, else a copy in the compute dtype
};

}  // namespace twinrun::trainer
