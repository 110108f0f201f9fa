#include "harness/protocol/tensor_digest.h"

#include <algorithm>
#include <stdexcept>
#include <thread>

namespace twinrun::protocol {

std::vector<Digest> leaf_digests(std::span<const std::byte> data, int threads) {
  const std::size_t count = (data.size() + kLeafBytes - 1) / kLeafBytes;
  std::vector<Digest> leaves(count);
  const auto hash_range = [&](std::size_t begin, std::size_t end) {
    Sha256 hasher;
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t offset = i * kLeafBytes;
      hasher.update(data.subspan(offset, std::min(kLeafBytes, data.size() - offset)));
      leaves[i] = hasher.finish();
    }
  };
  // Below this a thread costs more to start than it saves.
  constexpr std::size_t kLeavesPerThreadMin = 64;
  const std::size_t parts = std::clamp<std::size_t>(count / kLeavesPerThreadMin, 1,
                                                    static_cast<std::size_t>(std::max(threads, 1)));
  std::vector<std::jthread> workers;
  for (std::size_t part = 1; part < parts; ++part) {
    workers.emplace_back(hash_range, count * part / parts, count * (part + 1) / parts);
  }
  hash_range(0, count / parts);
  return leaves;
}

Digest tensor_digest_from_leaves(std::string_view dtype, std::span<const std::int64_t> shape,
                                 std::span<const Digest> leaves) {
  std::string head(dtype);
  head += '\n';
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) head += ',';
    head += std::to_string(shape[i]);
  }
  head += '\n';
  Sha256 hasher;
  hasher.update(head);
  hasher.update(std::as_bytes(leaves));
  return hasher.finish();
}

Digest tensor_digest(std::string_view dtype, std::span<const std::int64_t> shape,
                     std::span<const std::byte> data, int threads) {
  const std::vector<Digest> leaves = leaf_digests(data, threads);
  return tensor_digest_from_leaves(dtype, shape, leaves);
}

Digest group_digest(std::vector<NamedDigest> tensors) {
  std::sort(tensors.begin(), tensors.end(),
            [](const NamedDigest& a, const NamedDigest& b) { return a.first < b.first; });
  Sha256 hasher;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::string& name = tensors[i].first;
    if (i > 0 && name == tensors[i - 1].first) {
      throw std::invalid_argument("tensor name occurs twice in a group: " + name);
    }
    if (name.find('\n') != std::string::npos) {
      throw std::invalid_argument("tensor name holds a line feed: " + name);
    }
    hasher.update(name).update("\n").update(to_hex(tensors[i].second)).update("\n");
  }
  return hasher.finish();
}

}  // namespace twinrun::protocol
