#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/protocol/sha256.h"

namespace twinrun::protocol {

/// Bytes a leaf; part of the persistent format.
inline constexpr std::size_t kLeafBytes = 4096;

/// SHA-256 of each 4,096-byte leaf of `data`, the last one short; no leaf for no data.
/// `threads` > 1 splits the leaves; the result does not depend on it.
std::vector<Digest> leaf_digests(std::span<const std::byte> data, int threads = 1);

/// Digest of a tensor whose leaves are already hashed (on a GPU, say):
/// SHA-256 of `dtype LF d0,d1,... LF` and the raw leaf digests.
///
///   dtype  as torch names it, without "torch.": float32, bfloat16, int64, ...
///   shape  a scalar has none: its second line is empty
Digest tensor_digest_from_leaves(std::string_view dtype, std::span<const std::int64_t> shape,
                                 std::span<const Digest> leaves);

/// Digest of a contiguous, little-endian tensor.
Digest tensor_digest(std::string_view dtype, std::span<const std::int64_t> shape,
                     std::span<const std::byte> data, int threads = 1);

using NamedDigest = std::pair<std::string, Digest>;

/// SHA-256 of the lines `name LF hex LF`, sorted by the bytes of the name.
/// Throws std::invalid_argument if a name occurs twice or holds a line feed.
Digest group_digest(std::vector<NamedDigest> tensors);

}  // namespace twinrun::protocol
