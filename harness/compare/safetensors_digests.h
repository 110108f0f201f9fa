#pragma once

#include <filesystem>
#include <vector>

#include "harness/protocol/tensor_digest.h"

namespace twinrun::harness {

/// Digests of the tensors of a safetensors file, by name.
///
/// Throws std::runtime_error (file, what) for what cannot be read or is not such a file: a header
/// that is too long or not JSON, an unknown dtype, sizes that do not match, holes, overlaps.
std::vector<protocol::NamedDigest> safetensors_digests(const std::filesystem::path& file);

}  // namespace twinrun::harness
