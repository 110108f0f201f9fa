#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace twinrun::trainer {

/// Longest header that the reference reader takes, in bytes.
inline constexpr std::uint64_t kHeaderBytesMax = 100'000'000;

/// A dtype of the format: element size and its place in the reference writer's order.
struct DtypeInfo {
  std::string_view name;
  std::int64_t bits;
  int rank;  ///< tensors are written by falling rank
};
/// nullptr for a name that the format does not know.
const DtypeInfo* find_dtype(std::string_view name);

/// Bytes of a tensor; nullopt if that is no whole number or leaves 64 bits.
std::optional<std::uint64_t> tensor_bytes(const DtypeInfo& dtype,
                                          std::span<const std::int64_t> shape);

/// One entry of a header; `begin` and `end` count from the first byte after the header.
struct HeaderEntry {
  std::string name, dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

/// Where the tensors of a safetensors file lie, by ascending offset, and where its buffer starts.
struct FileLayout {
  std::vector<HeaderEntry> entries;
  std::uint64_t buffer = 0;
};

/// Reads and checks the header of a whole file: its length, its JSON, and that the tensors fill the
/// rest of the file without hole or overlap.
///
/// Throws ModelError: `file`, tensor, what is wrong.
FileLayout read_layout(const std::string& file, std::string_view bytes);

}  // namespace twinrun::trainer
