#include "trainer/train/train_config.h"

#include <algorithm>

#include "harness/protocol/inference.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;

/// The value at `pointer`, as T. Throws ConfigError naming it.
template <typename T>
T need(const json& object, const char* pointer) {
  const json::json_pointer path(pointer);
  if (!object.contains(path))
    throw ConfigError(std::string("config.json: ") + pointer + " is missing");
  try {
    return object.at(path).get<T>();
  } catch (const json::exception&) {
    throw ConfigError(std::string("config.json: ") + pointer + " is " + object.at(path).dump() +
                      ", another type is needed");
  }
}

std::int64_t positive(const json& object, const char* pointer) {
  const auto value = need<std::int64_t>(object, pointer);
  if (value < 1) throw ConfigError(std::string("config.json: ") + pointer + " must be at least 1");
  return value;
}

void read_lora(const json& identity, LoraConfig& lora) {
  lora.rank = positive(identity, "/lora/rank");
  lora.alpha = need<double>(identity, "/lora/alpha");
  lora.dropout = need<double>(identity, "/lora/dropout");
  if (!(lora.dropout >= 0 && lora.dropout < 1)) {
    throw ConfigError("config.json: /lora/dropout must be in [0, 1)");
  }
  lora.use_rslora =
      identity.at("lora").contains("use_rslora") && need<bool>(identity, "/lora/use_rslora");
  const auto targets = need<json>(identity, "/lora/target_modules");
  if (targets == "all-linear") {
    lora.target_modules.assign(kModuleNames.begin(), kModuleNames.end());
    return;
  }
  lora.target_modules = need<std::vector<std::string>>(identity, "/lora/target_modules");
  for (const auto& name : lora.target_modules) {
    if (std::find(kModuleNames.begin(), kModuleNames.end(), name) == kModuleNames.end()) {
      throw ConfigError("config.json: /lora/target_modules names " + name +
                        ", which is no linear of a Llama block");
    }
  }
}

void read_model_and_data(const protocol::RunConfig& config, TrainConfig& out) {
  const auto& identity = config.identity;
  out.model_path = need<std::string>(config.launch, "/paths/model");
  if (identity.at("model").contains("init")) {
    out.random_model_seed = need<std::uint64_t>(identity, "/model/seed");
    out.model_digests = {
        {out.model_path.filename().string(), need<std::string>(identity, "/model/config")}};
  } else {
    out.model_digests = need<json>(identity, "/model/files");
  }
  if (identity.at("data").contains("synthetic")) {
    out.synthetic = identity.at("data").at("synthetic");
    return;
  }
  out.data_path = need<std::string>(config.launch, "/paths/data");
  out.data_digest = need<std::string>(identity, "/data/sha256");
  out.template_name = need<std::string>(identity, "/data/template");
  out.max_length = positive(identity, "/data/max_length");
  out.loss_on = need<std::string>(identity, "/data/loss_on");
  out.packing = identity.at("data").contains("packing") && need<bool>(identity, "/data/packing");
  out.tokenizer_digests = need<json>(identity, "/tokenizer/files");
  if (out.random_model_seed) {
    throw ConfigError("a model with init: random has no tokenizer; give it synthetic data");
  }
}

void read_numerics(const protocol::RunConfig& config, NumericsOptions& out) {
  out.mode = need<std::string>(config.identity, "/numerics");
  if (out.mode != "fast" && out.mode != "deterministic" && out.mode != "portable") {
    throw ConfigError("numerics: " + out.mode + " is none of fast, deterministic and portable");
  }
  out.dtype = need<std::string>(config.identity, "/model/dtype");
  if (out.mode == "portable" && out.dtype != "float32") {
    throw ConfigError("numerics: portable is float32 only so far; model.dtype is " + out.dtype);
  }
  out.device = need<std::string>(config.launch, "/device");
  out.isa = need<std::string>(config.launch, "/isa");
  out.threads = static_cast<int>(positive(config.launch, "/threads"));
  if (!config.launch.contains("shuffle_reductions")) return;
  out.shuffle_reductions = need<std::uint64_t>(config.launch, "/shuffle_reductions");
  if (out.mode != "fast") {
    throw ConfigError(
        "config.json: /launch/shuffle_reductions goes with numerics: fast only, not with " +
        out.mode);
  }
}

void read_train(const json& identity, TrainConfig& out) {
  out.steps = positive(identity, "/train/steps");
  out.batch_size = positive(identity, "/train/batch_size");
  out.gradient_accumulation = positive(identity, "/train/gradient_accumulation");
  out.max_grad_norm = need<double>(identity, "/train/max_grad_norm");
  if (const auto name = need<std::string>(identity, "/train/optimizer/name"); name != "adamw") {
    throw ConfigError("config.json: optimizer " + name + " is not built; adamw is");
  }
  out.lr = need<double>(identity, "/train/optimizer/lr");
  out.optimizer = {need<double>(identity, "/train/optimizer/beta1"),
                   need<double>(identity, "/train/optimizer/beta2"),
                   need<double>(identity, "/train/optimizer/eps"),
                   need<double>(identity, "/train/optimizer/weight_decay")};
  out.schedule = need<std::string>(identity, "/train/schedule/name");
  out.warmup_steps = need<std::int64_t>(identity, "/train/schedule/warmup_steps");
}

std::optional<EvaluationConfig> read_evaluation(const protocol::RunConfig& config, bool synthetic) {
  if (!config.launch.contains("evaluation")) return std::nullopt;
  if (synthetic) {
    throw ConfigError("config.json: /launch/evaluation needs text, and synthetic data have none");
  }
  EvaluationConfig out;
  out.path = need<std::string>(config.launch, "/evaluation/path");
  out.sha256 = need<std::string>(config.judgement, "/evaluation/sha256");
  out.every = config.launch.value("eval_every", std::int64_t{0});
  out.max_new_tokens = need<std::int64_t>(config.launch, "/evaluation/max_new_tokens");
  if (out.every < 0 || out.max_new_tokens < 0) {
    throw ConfigError(
        "config.json: /eval_every and /evaluation/max_new_tokens must not be negative");
  }
  out.batch_size = positive(config.launch, "/evaluation/batch_size");
  out.max_length = positive(config.launch, "/evaluation/max_length");
  return out;
}

}  // namespace

TrainConfig read_train_config(const protocol::RunConfig& config) {
  TrainConfig out;
  out.identity_digest = protocol::to_hex(config.identity_digest());
  for (const char* part : {"/model", "/data", "/lora", "/train"}) need<json>(config.identity, part);
  read_model_and_data(config, out);
  read_lora(config.identity, out.lora);
  if (config.identity.at("lora").contains("init")) {
    out.adapter_path = need<std::string>(config.launch, "/paths/adapter");
    out.adapter_digests = need<json>(config.identity, "/lora/init");
  }
  read_train(config.identity, out);
  out.seed_lora_init = need<std::uint64_t>(config.identity, "/seeds/lora_init");
  out.seed_dropout = need<std::uint64_t>(config.identity, "/seeds/dropout");
  out.seed_shuffle = need<std::uint64_t>(config.identity, "/seeds/shuffle");
  read_numerics(config, out.numerics);
  out.tensors_every = need<std::int64_t>(config.launch, "/record/tensors_every");
  out.checkpoint_every = config.launch.value("checkpoint_every", std::int64_t{0});
  out.activation_checkpointing = config.launch.value("activation_checkpointing", false);
  const auto stop_after = config.launch.value("stop_after", json());
  out.last_step =
      stop_after.is_null() ? out.steps : std::min(stop_after.get<std::int64_t>(), out.steps);
  out.gpu_memory_offset_mb = config.launch.value("/nuisance/gpu_memory_offset_mb"_json_pointer, 0);
  out.evaluation = read_evaluation(config, out.synthetic.has_value());
  out.inject = config.launch.value("inject", std::vector<std::string>{});
  return out;
}

InferenceConfig read_inference_config(const protocol::RunConfig& config) {
  const auto inference = config.launch.value("inference", json::object());
  if (!inference.is_object()) {
    throw ConfigError("config.json: /launch/inference is " + inference.dump() +
                      ", an object is needed");
  }
  const auto read = [&](const char* key, std::int64_t absent) -> std::int64_t {
    const auto value = inference.value(key, json(absent));
    if (value.is_number_integer() && value >= 1 && value <= protocol::kInferenceMax) {
      return value.get<std::int64_t>();
    }
    throw ConfigError(std::string("config.json: /launch/inference/") + key +
                      " must be at least 1 and at most " + std::to_string(protocol::kInferenceMax) +
                      ", is " + value.dump());
  };
  return {read("max_new_tokens", protocol::kInferenceNewTokens),
          read("batch_size", protocol::kInferenceBatchSize), read("top", protocol::kInferenceTop)};
}

}  // namespace twinrun::trainer
