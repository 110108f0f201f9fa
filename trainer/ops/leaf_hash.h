#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "harness/protocol/tensor_digest.h"

namespace twinrun::trainer {

/// A named tensor whose digest belongs to a group.
struct NamedTensor {
  std::string name;
  at::Tensor tensor;  ///< contiguous
};

/// SHA-256 of the 4,096-byte leaves of a fixed set of tensors (docs/protocol.md, "Tensor digests"),
/// on the device where they live.
///
/// On CUDA enqueue() launches one kernel, a thread a leaf, and an asynchronous copy into pinned
/// memory; digests() may be called once the stream has passed that point. Tensors must stay where
/// they are: the table of leaves is made once.
class LeafHasher {
 public:
  explicit LeafHasher(std::vector<NamedTensor> tensors, int threads);

  /// Leaf digests of the tensors as they are at this point of the stream: uint8 [leaves, 32] in
  /// host memory, to be read once the stream has passed.
  at::Tensor enqueue() const;

  /// Digests by tensor, from what enqueue() returned.
  std::vector<protocol::NamedDigest> digests(const at::Tensor& leaves) const;

  std::int64_t bytes() const { return bytes_; }

 private:
  std::vector<NamedTensor> tensors_;
  std::vector<std::int64_t> leaf_counts_;
  at::Tensor table_;  ///< CUDA: int64 [leaves, 2], address and length
  std::int64_t leaves_ = 0, bytes_ = 0;
  int threads_;
};

}  // namespace twinrun::trainer
