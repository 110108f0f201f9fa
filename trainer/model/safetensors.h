#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "trainer/model/model_config.h"

namespace twinrun::trainer {

/// A tensor of a safetensors file: little-endian, row-major bytes within the file's map. The format
/// does not align them, so copy elements out rather than casting the pointer.
struct StoredTensor {
  std::string dtype;  ///< as the file says: F32, BF16, F16, ...
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;
};

/// The tensors of a checkpoint folder, `model.safetensors` or the shards of
/// `model.safetensors.index.json`, mapped read-only.
///
/// Throws ModelError (file, tensor, what): no weights, a Git LFS pointer, a header that is too
/// long, not JSON, with holes, overlaps or sizes that do not match, a tensor in two shards or in
/// none, a shard path that leaves the folder.
class Checkpoint {
 public:
  static Checkpoint open(const std::filesystem::path& folder);
  /// One file, such as adapter_model.safetensors.
  static Checkpoint open_file(const std::filesystem::path& file);
  ~Checkpoint();
  Checkpoint(Checkpoint&&) noexcept;

  const std::map<std::string, StoredTensor>& tensors() const { return tensors_; }

  /// Throws ModelError unless the checkpoint holds exactly the tensors of `expected` (name to
  /// shape), naming the first that is missing, surplus, of another shape or of another dtype than
  /// F32, BF16 or F16. `rotary_emb.inv_freq` is passed over, and `lm_head.weight` where `tied`.
  void require(const std::map<std::string, std::vector<std::int64_t>>& expected, bool tied) const;

 private:
  Checkpoint() = default;
  void add_file(const std::filesystem::path& file);
  struct Map;
  std::filesystem::path path_;
  std::vector<std::shared_ptr<Map>> maps_;
  std::map<std::string, StoredTensor> tensors_;
};

/// Names and shapes of the weights of a Llama-family checkpoint, as Hugging Face names them.
std::map<std::string, std::vector<std::int64_t>> expected_tensors(const ModelConfig& config);

struct TensorToWrite {
  std::string name, dtype;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;
};

/// Writes a safetensors file as the reference writer lays it out (metadata first, larger dtypes
/// before smaller ones and then by name, header padded to 8 bytes), atomically.
///
/// Throws std::runtime_error (path and errno text), std::invalid_argument for a dtype that the
/// format does not know or data that do not fit the shape.
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace twinrun::trainer
