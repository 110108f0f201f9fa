#include "harness/compare/safetensors_digests.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>

#include "harness/protocol/strict_json.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

struct Dtype {
  const char* torch_name;
  std::uint64_t bytes;
};

const std::map<std::string, Dtype>& dtypes() {
  static const std::map<std::string, Dtype> known = {
      {"F64", {"float64", 8}},   {"F32", {"float32", 4}}, {"F16", {"float16", 2}},
      {"BF16", {"bfloat16", 2}}, {"I64", {"int64", 8}},   {"I32", {"int32", 4}},
      {"I16", {"int16", 2}},     {"I8", {"int8", 1}},     {"U8", {"uint8", 1}},
      {"BOOL", {"bool", 1}}};
  return known;
}

struct Entry {
  std::string name;
  Dtype dtype{};
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

std::vector<std::int64_t> integers(const json& list) {
  if (!list.is_array()) throw std::runtime_error("expected a list of integers");
  std::vector<std::int64_t> numbers;
  for (const json& element : list) {
    if (!element.is_number_unsigned() || element.get<std::uint64_t>() >> 53 != 0) {
      throw std::runtime_error("expected an integer from 0, found " + element.dump());
    }
    numbers.push_back(element.get<std::int64_t>());
  }
  return numbers;
}

Entry entry_of(const std::string& name, const json& value) {
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") ||
      !value.contains("shape") || !value.contains("data_offsets") ||
      !value.at("dtype").is_string()) {
    throw std::runtime_error("expected dtype, shape and data_offsets");
  }
  const auto dtype = dtypes().find(value.at("dtype").get<std::string>());
  if (dtype == dtypes().end()) {
    throw std::runtime_error("unknown dtype " + value.at("dtype").dump());
  }
  const auto offsets = integers(value.at("data_offsets"));
  if (offsets.size() != 2 || offsets[0] > offsets[1]) throw std::runtime_error("bad data_offsets");
  Entry entry{name, dtype->second, integers(value.at("shape")),
              static_cast<std::uint64_t>(offsets[0]), static_cast<std::uint64_t>(offsets[1])};
  std::uint64_t bytes = entry.dtype.bytes;
  for (const std::int64_t extent : entry.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes)) {
      throw std::runtime_error("the shape overflows");
    }
  }
  if (bytes != entry.end - entry.begin) {
    throw std::runtime_error("shape and data_offsets do not match");
  }
  return entry;
}

std::vector<Entry> entries_of(const std::string& header, std::uint64_t data_bytes) {
  std::string problem;
  const auto object = protocol::parse_strict_json(header, problem);
  if (!object) throw std::runtime_error("header: " + problem);
  if (!object->is_object()) throw std::runtime_error("header: not a JSON object");
  std::vector<Entry> entries;
  for (const auto& item : object->items()) {
    if (item.key() == "__metadata__") continue;
    try {
      entries.push_back(entry_of(item.key(), item.value()));
    } catch (const std::runtime_error& error) {
      throw std::runtime_error("tensor '" + item.key() + "': " + error.what());
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t at = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != at) {
      throw std::runtime_error("a hole or an overlap before tensor '" + entry.name + "'");
    }
    at = entry.end;
  }
  if (at != data_bytes) throw std::runtime_error("the tensors do not fill the file");
  return entries;
}

std::vector<protocol::NamedDigest> digests_of(std::ifstream& stream, std::uint64_t size) {
  constexpr std::uint64_t kLengthBytes = 8, kHeaderBytesMax = 100'000'000;
  unsigned char length[kLengthBytes];
  if (!stream.read(reinterpret_cast<char*>(length), kLengthBytes)) {
    throw std::runtime_error("shorter than 8 bytes");
  }
  std::uint64_t header_bytes = 0;
  for (int i = kLengthBytes - 1; i >= 0; --i) header_bytes = header_bytes << 8 | length[i];
  if (header_bytes > kHeaderBytesMax || header_bytes > size - kLengthBytes) {
    throw std::runtime_error("its header claims " + std::to_string(header_bytes) + " bytes");
  }
  std::string header(header_bytes, '\0');
  if (!stream.read(header.data(), static_cast<std::streamsize>(header_bytes))) {
    throw std::runtime_error("its header cannot be read");
  }
  std::vector<protocol::NamedDigest> digests;
  std::vector<std::byte> data;
  for (const Entry& entry : entries_of(header, size - kLengthBytes - header_bytes)) {
    data.resize(entry.end - entry.begin);
    if (!stream.read(reinterpret_cast<char*>(data.data()),
                     static_cast<std::streamsize>(data.size()))) {
      throw std::runtime_error("tensor '" + entry.name + "' cannot be read");
    }
    digests.emplace_back(entry.name,
                         protocol::tensor_digest(entry.dtype.torch_name, entry.shape, data));
  }
  return digests;
}

}  // namespace

std::vector<protocol::NamedDigest> safetensors_digests(const std::filesystem::path& file) {
  try {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw std::runtime_error("cannot be opened");
    return digests_of(stream, std::filesystem::file_size(file));
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(file.string() + ": " + error.what());
  }
}

}  // namespace twinrun::harness
