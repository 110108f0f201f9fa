#include "trainer/model/safetensors_format.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "harness/protocol/strict_json.h"
#include "trainer/data/input_file.h"
#include "trainer/model/model_config.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr std::array kDtypes = {
    DtypeInfo{"BOOL", 8, 0},    DtypeInfo{"F4", 4, 1},      DtypeInfo{"F6_E2M3", 6, 2},
    DtypeInfo{"F6_E3M2", 6, 3}, DtypeInfo{"U8", 8, 4},      DtypeInfo{"I8", 8, 5},
    DtypeInfo{"F8_E5M2", 8, 6}, DtypeInfo{"F8_E4M3", 8, 7}, DtypeInfo{"F8_E8M0", 8, 8},
    DtypeInfo{"I16", 16, 9},    DtypeInfo{"U16", 16, 10},   DtypeInfo{"F16", 16, 11},
    DtypeInfo{"BF16", 16, 12},  DtypeInfo{"I32", 32, 13},   DtypeInfo{"U32", 32, 14},
    DtypeInfo{"F32", 32, 15},   DtypeInfo{"C64", 64, 16},   DtypeInfo{"F64", 64, 17},
    DtypeInfo{"I64", 64, 18},   DtypeInfo{"U64", 64, 19},
};

[[noreturn]] void fail(const std::string& file, const std::string& what) {
  throw ModelError(file + ": " + what);
}

[[noreturn]] void fail_tensor(const std::string& file, const std::string& tensor,
                              const std::string& what) {
  fail(file, "tensor '" + tensor + "' " + what);
}

std::optional<std::vector<std::int64_t>> read_sizes(const json& list) {
  if (!list.is_array()) return std::nullopt;
  std::vector<std::int64_t> sizes;
  for (const json& size : list) {
    if (!size.is_number_unsigned() ||
        size.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
      return std::nullopt;
    }
    sizes.push_back(size.get<std::int64_t>());
  }
  return sizes;
}

HeaderEntry read_entry(const std::string& file, const std::string& name, const json& entry) {
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") ||
      !entry.contains("shape") || !entry.contains("data_offsets")) {
    fail_tensor(file, name, "needs exactly dtype, shape and data_offsets in the header");
  }
  const DtypeInfo* dtype = entry["dtype"].is_string()
                               ? find_dtype(entry["dtype"].get_ref<const std::string&>())
                               : nullptr;
  if (!dtype)
    fail_tensor(file, name, "has the unknown dtype " + entry["dtype"].dump().substr(0, 80));
  const auto shape = read_sizes(entry["shape"]);
  if (!shape) fail_tensor(file, name, "has a shape that is no list of sizes");
  const auto offsets = read_sizes(entry["data_offsets"]);
  if (!offsets || offsets->size() != 2 || (*offsets)[0] > (*offsets)[1]) {
    fail_tensor(file, name, "has data_offsets that are not [begin, end]");
  }
  HeaderEntry result{name, std::string(dtype->name), *shape,
                     static_cast<std::uint64_t>((*offsets)[0]),
                     static_cast<std::uint64_t>((*offsets)[1])};
  const std::optional<std::uint64_t> bytes = tensor_bytes(*dtype, *shape);
  if (!bytes) fail_tensor(file, name, "has a shape whose size in bytes is no number of 64 bits");
  if (*bytes != result.end - result.begin) {
    fail_tensor(file, name,
                "takes " + std::to_string(*bytes) + " bytes by dtype and shape, but " +
                    std::to_string(result.end - result.begin) + " by data_offsets");
  }
  return result;
}

void check_metadata(const std::string& file, const json& metadata) {
  if (!metadata.is_object()) fail(file, "__metadata__ is no object");
  for (const auto& [key, value] : metadata.items()) {
    if (!value.is_string()) fail(file, "__metadata__ field '" + key + "' is no string");
  }
}

// Offsets have to follow each other from 0 to the end of the file.
void check_contiguous(const std::string& file, const std::vector<HeaderEntry>& entries,
                      std::uint64_t buffer_bytes) {
  std::uint64_t position = 0;
  for (const HeaderEntry& entry : entries) {
    if (entry.begin > position) {
      fail_tensor(file, entry.name,
                  "begins after a hole of " + std::to_string(entry.begin - position) + " bytes");
    }
    if (entry.begin < position) fail_tensor(file, entry.name, "overlaps the tensor before it");
    position = entry.end;
  }
  if (position != buffer_bytes) {
    fail(file, "the tensors end at byte " + std::to_string(position) + " of the data, which have " +
                   std::to_string(buffer_bytes) + " bytes; is the file cut off or damaged?");
  }
}

}  // namespace

const DtypeInfo* find_dtype(std::string_view name) {
  const auto found = std::ranges::find(kDtypes, name, &DtypeInfo::name);
  return found == kDtypes.end() ? nullptr : &*found;
}

std::optional<std::uint64_t> tensor_bytes(const DtypeInfo& dtype,
                                          std::span<const std::int64_t> shape) {
  std::int64_t bits = dtype.bits;
  for (const std::int64_t size : shape) {
    if (__builtin_mul_overflow(bits, size, &bits)) return std::nullopt;
  }
  if (bits % 8 != 0) return std::nullopt;
  return static_cast<std::uint64_t>(bits / 8);
}

FileLayout read_layout(const std::string& file, std::string_view bytes) {
  if (is_lfs_pointer(bytes)) {
    fail(file, "is a Git LFS pointer, not the weights themselves; run git lfs pull");
  }
  std::uint64_t header_bytes = 0;
  if (bytes.size() < sizeof(header_bytes)) fail(file, "is too short for a safetensors file");
  std::memcpy(&header_bytes, bytes.data(), sizeof(header_bytes));
  bytes.remove_prefix(sizeof(header_bytes));
  if (header_bytes > kHeaderBytesMax) {
    fail(file, "names a header of " + std::to_string(header_bytes) + " bytes; at most " +
                   std::to_string(kHeaderBytesMax) + " are allowed. Is it a safetensors file?");
  }
  if (header_bytes > bytes.size()) {
    fail(file, "names a header of " + std::to_string(header_bytes) + " bytes, but ends before");
  }
  const std::string_view header = bytes.substr(0, header_bytes);
  if (!header.starts_with('{')) fail(file, "has a header that does not begin with '{'");
  std::string problem;
  const std::optional<json> object = protocol::parse_strict_json(header, problem);
  if (!object) fail(file, "has a header that cannot be read: " + problem);

  FileLayout layout;
  layout.buffer = sizeof(header_bytes) + header_bytes;
  for (const auto& [name, entry] : object->items()) {
    if (name == "__metadata__") {
      check_metadata(file, entry);
    } else {
      layout.entries.push_back(read_entry(file, name, entry));
    }
  }
  std::ranges::stable_sort(layout.entries, {}, [](const HeaderEntry& entry) {
    return std::pair(entry.begin, entry.end);
  });
  check_contiguous(file, layout.entries, bytes.size() - header_bytes);
  return layout;
}

}  // namespace twinrun::trainer
