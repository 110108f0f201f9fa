#include "trainer/ops/leaf_hash.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>

#include <cstring>

#include "trainer/ops/leaf_hash_cuda.h"

namespace twinrun::trainer {
namespace {

constexpr auto kLeaf = static_cast<std::int64_t>(protocol::kLeafBytes);

std::string dtype_name(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return "float32";
    case at::kBFloat16:
      return "bfloat16";
    case at::kHalf:
      return "float16";
    case at::kLong:
      return "int64";
    default:
      TORCH_CHECK(false, "no digest for dtype ", type);
  }
}

}  // namespace

LeafHasher::LeafHasher(std::vector<NamedTensor> tensors, int threads)
    : tensors_(std::move(tensors)), threads_(threads) {
  std::vector<std::int64_t> table;
  for (const auto& [name, tensor] : tensors_) {
    TORCH_CHECK(tensor.is_contiguous(), "digest of a tensor that is not contiguous: ", name);
    const auto size = static_cast<std::int64_t>(tensor.nbytes());
    const auto address = reinterpret_cast<std::int64_t>(tensor.const_data_ptr());
    for (std::int64_t at = 0; at < size; at += kLeaf) {
      table.push_back(address + at);
      table.push_back(std::min(kLeaf, size - at));
    }
    leaf_counts_.push_back((size + kLeaf - 1) / kLeaf);
    leaves_ += leaf_counts_.back();
    bytes_ += size;
  }
  if (!tensors_.empty() && tensors_[0].tensor.is_cuda()) {
    table_ = at::tensor(table, at::kLong).view({leaves_, 2}).to(tensors_[0].tensor.device());
  }
}

at::Tensor LeafHasher::enqueue() const {
  if (table_.defined()) {
    auto out = at::empty({leaves_, 32}, table_.options().dtype(at::kByte));
    C10_CUDA_CHECK(hash_leaves_cuda(table_.const_data_ptr<std::int64_t>(),
                                    out.mutable_data_ptr<std::uint8_t>(), leaves_,
                                    c10::cuda::getCurrentCUDAStream().stream()));
    auto host = at::empty({leaves_, 32}, at::TensorOptions().dtype(at::kByte).pinned_memory(true));
    host.copy_(out, /*non_blocking=*/true);
    return host;
  }
  auto host = at::empty({leaves_, 32}, at::kByte);
  auto* out = host.mutable_data_ptr<std::uint8_t>();
  for (const auto& named : tensors_) {
    const std::span bytes(static_cast<const std::byte*>(named.tensor.const_data_ptr()),
                          named.tensor.nbytes());
    for (const auto& leaf : protocol::leaf_digests(bytes, threads_)) {
      std::memcpy(out, leaf.data(), leaf.size());
      out += leaf.size();
    }
  }
  return host;
}

std::vector<protocol::NamedDigest> LeafHasher::digests(const at::Tensor& leaves) const {
  TORCH_CHECK(leaves.size(0) == leaves_, "leaf digests of another set of tensors");
  const auto* raw = leaves.const_data_ptr<std::uint8_t>();
  std::vector<protocol::NamedDigest> result;
  result.reserve(tensors_.size());
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    std::vector<protocol::Digest> of_tensor(static_cast<std::size_t>(leaf_counts_[i]));
    for (auto& leaf : of_tensor) {
      std::memcpy(leaf.data(), raw, leaf.size());
      raw += leaf.size();
    }
    const auto& tensor = tensors_[i].tensor;
    result.emplace_back(tensors_[i].name,
                        protocol::tensor_digest_from_leaves(dtype_name(tensor.scalar_type()),
                                                            tensor.sizes(), of_tensor));
  }
  return result;
}

}  // namespace twinrun::trainer
