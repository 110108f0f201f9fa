#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "harness/protocol/record_writer.h"
#include "trainer/model/safetensors.h"
#include "trainer/model/safetensors_format.h"

namespace twinrun::trainer {
namespace {

const DtypeInfo& checked_dtype(const TensorToWrite& tensor) {
  const DtypeInfo* dtype = find_dtype(tensor.dtype);
  if (!dtype) {
    throw std::invalid_argument("tensor '" + tensor.name + "' has the unknown dtype " +
                                tensor.dtype);
  }
  if (tensor_bytes(*dtype, tensor.shape) != tensor.data.size()) {
    throw std::invalid_argument("tensor '" + tensor.name + "' has data that do not fit its shape");
  }
  return *dtype;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<std::pair<int, const TensorToWrite*>> order;
  for (const TensorToWrite& tensor : tensors) {
    order.emplace_back(-checked_dtype(tensor).rank, &tensor);
  }
  std::ranges::sort(order, {}, [](const auto& entry) {
    return std::pair(entry.first, std::string_view(entry.second->name));
  });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t position = 0;
  for (const auto& [rank, tensor] : order) {
    const std::uint64_t end = position + tensor->data.size();
    header[tensor->name] = {
        {"dtype", tensor->dtype}, {"shape", tensor->shape}, {"data_offsets", {position, end}}};
    position = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');

  const std::uint64_t header_bytes = text.size();
  std::string file(sizeof(header_bytes), '\0');
  std::memcpy(file.data(), &header_bytes, sizeof(header_bytes));
  file.reserve(file.size() + text.size() + position);
  file += text;
  for (const auto& [rank, tensor] : order) {
    file.append(reinterpret_cast<const char*>(tensor->data.data()), tensor->data.size());
  }
  protocol::write_file_atomically(path, file);
}

}  // namespace twinrun::trainer
