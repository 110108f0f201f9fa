#include "trainer/model/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <string_view>
#include <utility>

#include "trainer/data/input_file.h"
#include "trainer/model/safetensors_format.h"

namespace twinrun::trainer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t size : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(size);
  }
  return text + "]";
}

// The index: tensor name to shard. A shard is a name within the folder, nothing that leads
// elsewhere.
std::map<std::string, std::string> read_index(const fs::path& index_file) {
  json index;
  try {
    index = read_json_object(index_file);
  } catch (const std::runtime_error& error) {
    throw ModelError(error.what());
  }
  const auto map = index.find("weight_map");
  if (map == index.end() || !map->is_object() || map->empty()) {
    throw ModelError(index_file.string() + ": has no weight_map");
  }
  std::map<std::string, std::string> shards;
  for (const auto& [tensor, shard] : map->items()) {
    const std::string name = shard.is_string() ? shard.get<std::string>() : "";
    if (name.find('/') != std::string::npos || name.find('\0') != std::string::npos ||
        !name.ends_with(".safetensors")) {
      throw ModelError(index_file.string() + ": tensor '" + tensor + "' lies in " + shard.dump() +
                       ", which is no name of a .safetensors file in the folder");
    }
    shards[tensor] = name;
  }
  return shards;
}

}  // namespace

/// A file mapped read-only for as long as a checkpoint needs it.
struct Checkpoint::Map {
  explicit Map(const fs::path& file) {
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) throw ModelError(file.string() + ": " + std::strerror(errno));
    struct stat status {};
    const bool is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    if (is_file && status.st_size > 0) {
      size = static_cast<std::size_t>(status.st_size);
      data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    const int map_errno = errno;
    close(fd);
    if (!is_file) throw ModelError(file.string() + ": is no file");
    if (data == MAP_FAILED) throw ModelError(file.string() + ": " + std::strerror(map_errno));
  }
  ~Map() {
    if (size > 0) munmap(data, size);
  }
  Map(const Map&) = delete;
  Map& operator=(const Map&) = delete;

  std::string_view text() const { return {static_cast<const char*>(data), size}; }

  void* data = nullptr;
  std::size_t size = 0;
};

Checkpoint::~Checkpoint() = default;
Checkpoint::Checkpoint(Checkpoint&&) noexcept = default;

void Checkpoint::add_file(const fs::path& file) {
  maps_.push_back(std::make_shared<Map>(file));
  const std::string_view bytes = maps_.back()->text();
  const FileLayout layout = read_layout(file.string(), bytes);
  for (const HeaderEntry& entry : layout.entries) {
    const std::string_view data =
        bytes.substr(layout.buffer + entry.begin, entry.end - entry.begin);
    const bool is_new = tensors_
                            .emplace(entry.name, StoredTensor{entry.dtype, entry.shape,
                                                              std::as_bytes(std::span(data))})
                            .second;
    if (!is_new) {
      throw ModelError(file.string() + ": tensor '" + entry.name + "' lies in another shard too");
    }
  }
}

Checkpoint Checkpoint::open_file(const fs::path& file) {
  Checkpoint checkpoint;
  checkpoint.path_ = file;
  checkpoint.add_file(file);
  return checkpoint;
}

Checkpoint Checkpoint::open(const fs::path& folder) {
  const fs::path single = folder / "model.safetensors";
  const fs::path index_file = folder / "model.safetensors.index.json";
  std::error_code ignored;
  // As transformers does, the single file wins where both are there.
  if (fs::exists(single, ignored)) return open_file(single);
  if (!fs::is_directory(folder, ignored)) {
    throw ModelError(folder.string() + ": no such model folder");
  }
  if (!fs::exists(index_file, ignored)) {
    throw ModelError(folder.string() +
                     ": holds neither model.safetensors nor model.safetensors.index.json; other "
                     "weight formats have to be converted first");
  }
  const std::map<std::string, std::string> shard_of = read_index(index_file);
  Checkpoint checkpoint;
  checkpoint.path_ = index_file;
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : shard_of) shards.insert(shard);
  std::map<std::string, std::string> found_in;
  for (const std::string& shard : shards) {
    checkpoint.add_file(folder / shard);
    for (const auto& [tensor, stored] : checkpoint.tensors_) found_in.emplace(tensor, shard);
  }
  for (const auto& [tensor, shard] : shard_of) {
    const auto found = found_in.find(tensor);
    if (found == found_in.end() || found->second != shard) {
      throw ModelError(index_file.string() + ": tensor '" + tensor + "' is not in " + shard);
    }
  }
  for (const auto& [tensor, shard] : found_in) {
    if (!shard_of.contains(tensor)) {
      throw ModelError((folder / shard).string() + ": tensor '" + tensor +
                       "' is not in the weight_map of " + index_file.filename().string());
    }
  }
  return checkpoint;
}

void Checkpoint::require(const std::map<std::string, std::vector<std::int64_t>>& expected,
                         bool tied) const {
  const auto fail = [this](const std::string& tensor, const std::string& what) {
    throw ModelError(path_.string() + ": tensor '" + tensor + "' " + what);
  };
  for (const auto& [name, shape] : expected) {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail(name, "is missing");
    const StoredTensor& tensor = found->second;
    if (tensor.shape != shape) {
      fail(name,
           "has shape " + shape_text(tensor.shape) + ", config.json asks for " + shape_text(shape));
    }
    if (tensor.dtype != "F32" && tensor.dtype != "BF16" && tensor.dtype != "F16") {
      fail(name, "has dtype " + tensor.dtype + "; only F32, BF16 and F16 are built");
    }
  }
  for (const auto& [name, tensor] : tensors_) {
    const bool passed_over =
        name.ends_with("rotary_emb.inv_freq") || (tied && name == "lm_head.weight");
    if (!expected.contains(name) && !passed_over) fail(name, "is surplus: no layer takes it");
  }
}

std::map<std::string, std::vector<std::int64_t>> expected_tensors(const ModelConfig& config) {
  const std::int64_t hidden = config.hidden_size, feed_forward = config.intermediate_size;
  const std::int64_t query = config.num_attention_heads * config.head_dim;
  const std::int64_t key_value = config.num_key_value_heads * config.head_dim;
  std::map<std::string, std::vector<std::int64_t>> shapes = {
      {"model.embed_tokens.weight", {config.vocab_size, hidden}}, {"model.norm.weight", {hidden}}};
  if (!config.tie_word_embeddings) shapes["lm_head.weight"] = {config.vocab_size, hidden};
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    shapes[prefix + "input_layernorm.weight"] = {hidden};
    shapes[prefix + "self_attn.q_proj.weight"] = {query, hidden};
    shapes[prefix + "self_attn.k_proj.weight"] = {key_value, hidden};
    shapes[prefix + "self_attn.v_proj.weight"] = {key_value, hidden};
    shapes[prefix + "self_attn.o_proj.weight"] = {hidden, query};
    shapes[prefix + "post_attention_layernorm.weight"] = {hidden};
    shapes[prefix + "mlp.gate_proj.weight"] = {feed_forward, hidden};
    shapes[prefix + "mlp.up_proj.weight"] = {feed_forward, hidden};
    shapes[prefix + "mlp.down_proj.weight"] = {hidden, feed_forward};
  }
  return shapes;
}

}  // namespace twinrun::trainer
