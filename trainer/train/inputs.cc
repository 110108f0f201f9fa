#include "trainer/train/inputs.h"

#include <utility>

#include "harness/protocol/sha256.h"

namespace twinrun::trainer {
namespace {

/// Hashes `folder`/name for each name of `expected`; throws if one is not what the identity states.
nlohmann::json check_digests(const std::filesystem::path& folder, const nlohmann::json& expected) {
  auto found = nlohmann::json::object();
  for (const auto& [name, digest] : expected.items()) {
    try {
      found[name] = protocol::to_hex(protocol::sha256_file(folder / name));
    } catch (const std::runtime_error& error) {
      throw ConfigError(std::string(error.what()) + "; it was there when the case was resolved");
    }
    if (found[name] != digest) {
      throw ConfigError(
          (folder / name).string() + " changed since the case was resolved: its SHA-256 is " +
          found[name].get<std::string>() + ", the identity says " + digest.get<std::string>());
    }
  }
  return found;
}

}  // namespace

ModelConfig open_model(const TrainConfig& config, nlohmann::json& digests) {
  const bool random = config.random_model_seed.has_value();
  const auto folder = random ? config.model_path.parent_path() : config.model_path;
  digests["model"] = check_digests(folder, config.model_digests);
  const auto file = random ? config.model_path : folder / "config.json";
  const auto model = read_model_config(file);
  const std::pair<const char*, std::int64_t> ids[] = {
      {"pad_token_id", model.pad_token_id}, {"eos_token_id", model.eos_token_id.value_or(0)}};
  for (const auto& [field, id] : ids) {
    if (id >= 0 && id < model.vocab_size) continue;
    throw ModelError(file.string() + ": " + field + " " + std::to_string(id) +
                     " lies outside vocab_size " + std::to_string(model.vocab_size));
  }
  return model;
}

void begin_adapter(const TrainConfig& config, std::uint64_t seed, at::ScalarType base_dtype,
                   Adapter& adapter, nlohmann::json& digests) {
  if (!config.adapter_path) return adapter.init(seed, base_dtype);
  digests["adapter"] = check_digests(*config.adapter_path, config.adapter_digests);
  adapter.load(*config.adapter_path);
}

LlamaWeights load_weights(const TrainConfig& config, const ModelConfig& model, at::ScalarType dtype,
                          at::Device device) {
  return config.random_model_seed ? random_llama(model, *config.random_model_seed, dtype, device)
                                  : load_llama(config.model_path, model, dtype, device);
}

std::unique_ptr<const Tokenizer> open_tokenizer(const TrainConfig& config, const ModelConfig& model,
                                                nlohmann::json& digests) {
  if (config.synthetic) return nullptr;
  digests["tokenizer"] = check_digests(config.model_path, config.tokenizer_digests);
  for (const char* name : {"tokenizer.json", "tokenizer.model", "tokenizer_config.json"}) {
    const auto file = config.model_path / name;
    if (std::filesystem::exists(file) && !config.tokenizer_digests.contains(name)) {
      throw ConfigError(file.string() + " was not there when the case was resolved");
    }
  }
  auto tokenizer = load_tokenizer(config.model_path);
  if (tokenizer->vocab_size() > model.vocab_size) {
    throw TokenizerError(tokenizer_file(config.model_path).string() + ": largest id " +
                         std::to_string(tokenizer->vocab_size() - 1) +
                         " lies outside the model's vocab_size " +
                         std::to_string(model.vocab_size));
  }
  return tokenizer;
}

Dataset load_data(const TrainConfig& config, const ModelConfig& model, const Tokenizer* tokenizer,
                  nlohmann::json& digests) {
  if (config.synthetic) {
    const auto& s = *config.synthetic;
    const auto vocab_size = s.at("vocab_size").get<std::int64_t>();
    if (vocab_size > model.vocab_size) {
      throw ConfigError("data.synthetic.vocab_size " + std::to_string(vocab_size) +
                        " is larger than the model's vocab_size " +
                        std::to_string(model.vocab_size));
    }
    return make_synthetic(s.at("samples").get<std::int64_t>(), s.at("length").get<std::int64_t>(),
                          vocab_size, s.at("seed").get<std::uint64_t>());
  }
  const auto& path = config.data_path;
  digests["data"] =
      check_digests(path.parent_path(), {{path.filename().string(), config.data_digest}})
          .begin()
          .value();
  return load_jsonl({path,
                     {config.template_name, model.eos_token_id, config.model_path},
                     config.max_length,
                     config.loss_on},
                    *tokenizer);
}

}  // namespace twinrun::trainer
