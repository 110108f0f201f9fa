#include "trainer/model/model_config.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "trainer/data/input_file.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;

// Far beyond any model; below them no product of two sizes leaves 64 bits, and a mistyped number of
// layers cannot ask for gigabytes of names.
constexpr std::int64_t kSizeMax = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kLayersMax = 10000;

// Fields that change nothing in what is computed here.
const std::set<std::string_view> kPassedOver = {"_attn_implementation",
                                                "_attn_implementation_autoset",
                                                "_name_or_path",
                                                "_commit_hash",
                                                "attn_implementation",
                                                "bos_token_id",
                                                "dtype",
                                                "initializer_range",
                                                "is_llama_config",
                                                "name_or_path",
                                                "output_attentions",
                                                "output_hidden_states",
                                                "return_dict",
                                                "torch_dtype",
                                                "transformers.js_config",
                                                "transformers_version",
                                                "use_cache"};

// The fields of config.json, taken out one by one: what is left in the end is unknown.
class Fields {
 public:
  Fields(std::string file, json object) : file_(std::move(file)), object_(std::move(object)) {}

  [[noreturn]] void fail(const std::string& field, const std::string& what) const {
    throw ModelError(file_ + ": field '" + field + "' " + what);
  }

  // The value and its removal; null counts as absent, as it does in transformers.
  json take(const std::string& field) {
    const auto found = object_.find(field);
    if (found == object_.end()) return nullptr;
    json value = std::move(*found);
    object_.erase(found);
    return value;
  }

  std::optional<std::int64_t> take_integer(const std::string& field, std::int64_t min,
                                           std::int64_t max) {
    const json value = take(field);
    if (value.is_null()) return std::nullopt;
    if (!value.is_number_integer()) fail(field, "is " + value.dump() + ", not an integer");
    const bool fits =
        !value.is_number_unsigned() ||
        value.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()};
    if (!fits || value.get<std::int64_t>() < min || value.get<std::int64_t>() > max) {
      fail(field, "is " + value.dump() + ", outside " + std::to_string(min) + " .. " +
                      std::to_string(max));
    }
    return value.get<std::int64_t>();
  }

  std::int64_t take_size(const std::string& field, std::int64_t max = kSizeMax) {
    const std::optional<std::int64_t> size = take_integer(field, 1, max);
    if (!size) fail(field, "is missing");
    return *size;
  }

  std::optional<double> take_positive(const std::string& field) {
    const json value = take(field);
    if (value.is_null()) return std::nullopt;
    if (!value.is_number() || !(value.get<double>() > 0) || !std::isfinite(value.get<double>())) {
      fail(field, "is " + value.dump() + ", not a positive number");
    }
    return value.get<double>();
  }

  bool take_bool(const std::string& field, bool absent) {
    const json value = take(field);
    if (value.is_null()) return absent;
    if (!value.is_boolean()) fail(field, "is " + value.dump() + ", not true or false");
    return value.get<bool>();
  }

  // A field that may only have the one value that is built.
  void take_only(const std::string& field, const json& built) {
    const json value = take(field);
    if (!value.is_null() && value != built) {
      fail(field, "is " + value.dump() + "; only " + built.dump() + " is built");
    }
  }

  void require_nothing_left() const {
    for (const auto& [field, value] : object_.items()) {
      if (value.is_null() || kPassedOver.contains(field)) continue;
      fail(field, "is not known to twinrun and might change the result (its value: " +
                      value.dump().substr(0, 80) + ")");
    }
  }

 private:
  std::string file_;
  json object_;
};

void check_family(Fields& fields) {
  const json type = fields.take("model_type");
  if (type != "llama") {
    fields.fail("model_type", (type.is_null() ? "is missing" : "is " + type.dump()) +
                                  std::string("; only \"llama\" is built"));
  }
  fields.take_only("architectures", json::array({"LlamaForCausalLM"}));
  fields.take_only("hidden_act", "silu");
  fields.take_only("attention_bias", false);
  fields.take_only("mlp_bias", false);
  fields.take_only("attention_dropout", 0.0);
  fields.take_only("pretraining_tp", 1);
  fields.take_only("rope_interleaved", false);
  fields.take_only("use_sliding_window", false);
  for (const char* not_built : {"sliding_window", "quantization_config"}) {
    const json value = fields.take(not_built);
    if (!value.is_null())
      fields.fail(not_built, "is " + value.dump().substr(0, 80) + "; not built");
  }
}

// rope_scaling (transformers 4) or rope_parameters (5): nothing but the default, and its theta.
std::optional<double> take_rope_object(Fields& fields, const std::string& field) {
  json value = fields.take(field);
  if (value.is_null()) return std::nullopt;
  if (!value.is_object())
    fields.fail(field, "is " + value.dump().substr(0, 80) + ", not an object");
  for (const char* key : {"rope_type", "type"}) {
    const auto type = value.find(key);
    if (type == value.end()) continue;
    if (*type != "default") {
      fields.fail(field + "." + key,
                  "is " + type->dump().substr(0, 80) + "; only \"default\" is built");
    }
    value.erase(type);
  }
  std::optional<double> theta;
  if (const auto found = value.find("rope_theta"); found != value.end()) {
    if (!found->is_number() || !(found->get<double>() > 0)) {
      fields.fail(field + ".rope_theta",
                  "is " + found->dump().substr(0, 80) + ", not a positive number");
    }
    theta = found->get<double>();
    value.erase(found);
  }
  for (const auto& [key, unknown] : value.items()) {
    fields.fail(field + "." + key, "is " + unknown.dump().substr(0, 80) + "; not built");
  }
  return theta;
}

double take_rope_theta(Fields& fields) {
  std::optional<double> theta = fields.take_positive("rope_theta");
  for (const char* field : {"rope_scaling", "rope_parameters"}) {
    const std::optional<double> inner = take_rope_object(fields, field);
    if (theta && inner && *theta != *inner) {
      fields.fail(std::string(field) + ".rope_theta", "differs from 'rope_theta'");
    }
    if (inner) theta = inner;
  }
  return theta.value_or(ModelConfig{}.rope_theta);
}

void take_sizes(Fields& fields, ModelConfig& config) {
  config.vocab_size = fields.take_size("vocab_size");
  config.hidden_size = fields.take_size("hidden_size");
  config.intermediate_size = fields.take_size("intermediate_size");
  config.num_hidden_layers = fields.take_size("num_hidden_layers", kLayersMax);
  config.num_attention_heads = fields.take_size("num_attention_heads");
  config.num_key_value_heads =
      fields.take_integer("num_key_value_heads", 1, kSizeMax).value_or(config.num_attention_heads);
  const std::optional<std::int64_t> head_dim = fields.take_integer("head_dim", 1, kSizeMax);
  if (!head_dim && config.hidden_size % config.num_attention_heads != 0) {
    fields.fail("hidden_size", "is no multiple of num_attention_heads, and head_dim is missing");
  }
  config.head_dim = head_dim.value_or(config.hidden_size / config.num_attention_heads);
  if (config.head_dim % 2 != 0) fields.fail("head_dim", "is odd; rotary embeddings need pairs");
  if (config.num_attention_heads % config.num_key_value_heads != 0) {
    fields.fail("num_attention_heads", "is no multiple of num_key_value_heads");
  }
  if (config.num_attention_heads > kSizeMax / config.head_dim) {
    fields.fail("head_dim", "times num_attention_heads is too large");
  }
}

void take_token_ids(Fields& fields, ModelConfig& config) {
  json eos = fields.take("eos_token_id");
  if (eos.is_array() && !eos.empty()) eos = json(eos.front());
  if (!eos.is_null()) {
    const bool valid = eos.is_number_unsigned() &&
                       eos.get<std::uint64_t>() < static_cast<std::uint64_t>(config.vocab_size);
    if (!valid)
      fields.fail("eos_token_id",
                  "is " + eos.dump().substr(0, 80) + ", not an id of the vocabulary");
    config.eos_token_id = eos.get<std::int64_t>();
  }
  config.pad_token_id = fields.take_integer("pad_token_id", 0, config.vocab_size - 1)
                            .value_or(config.eos_token_id.value_or(0));
}

}  // namespace

ModelConfig read_model_config(const std::filesystem::path& config_json) {
  json object;
  try {
    object = read_json_object(config_json);
  } catch (const std::runtime_error& error) {
    throw ModelError(error.what());
  }
  Fields fields(config_json.string(), std::move(object));
  ModelConfig config;
  check_family(fields);
  take_sizes(fields, config);
  config.rope_theta = take_rope_theta(fields);
  config.max_positions = fields.take_integer("max_position_embeddings", 1, kSizeMax);
  config.rms_norm_eps = fields.take_positive("rms_norm_eps").value_or(config.rms_norm_eps);
  config.tie_word_embeddings = fields.take_bool("tie_word_embeddings", false);
  take_token_ids(fields, config);
  fields.require_nothing_left();
  return config;
}

}  // namespace twinrun::trainer
