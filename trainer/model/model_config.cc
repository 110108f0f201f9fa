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
  Fields(std::string file, json object, std::string prefix = "")
      : file_(std::move(file)), prefix_(std::move(prefix)), object_(std::move(object)) {}

  [[noreturn]] void fail(const std::string& field, const std::string& what) const {
    throw ModelError(file_ + ": field '" + prefix_ + field + "' " + what);
  }

  // The fields of the object that `field` is; messages name both.
  Fields inside(const std::string& field, json object) const {
    return Fields(file_, std::move(object), prefix_ + field + ".");
  }

  bool has(const std::string& field) const { return object_.contains(field); }

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
  std::string file_, prefix_;  // of the fields' names, such as "rope_scaling."
  json object_;
};

enum class Family { kLlama, kMistral };

Family take_family(Fields& fields) {
  const json type = fields.take("model_type");
  if (type != "llama" && type != "mistral") {
    fields.fail("model_type", (type.is_null() ? "is missing" : "is " + type.dump().substr(0, 80)) +
                                  std::string("; only \"llama\" and \"mistral\" are built"));
  }
  const Family family = type == "llama" ? Family::kLlama : Family::kMistral;
  fields.take_only("architectures", json::array({family == Family::kLlama ? "LlamaForCausalLM"
                                                                          : "MistralForCausalLM"}));
  fields.take_only("hidden_act", "silu");
  fields.take_only("attention_bias", false);
  fields.take_only("mlp_bias", false);
  fields.take_only("attention_dropout", 0.0);
  fields.take_only("pretraining_tp", 1);
  fields.take_only("rope_interleaved", false);
  fields.take_only("use_sliding_window", false);
  const json quantization = fields.take("quantization_config");
  if (!quantization.is_null()) {
    fields.fail("quantization_config", "is " + quantization.dump().substr(0, 80) + "; not built");
  }
  return family;
}

std::int64_t take_sliding_window(Fields& fields, Family family) {
  if (family == Family::kMistral) {
    constexpr std::int64_t kAbsent = 4096;  // of a field that is not even null
    if (!fields.has("sliding_window")) return kAbsent;
    return fields.take_integer("sliding_window", 1, kSizeMax).value_or(0);
  }
  const json window = fields.take("sliding_window");
  if (!window.is_null()) {
    fields.fail("sliding_window",
                "is " + window.dump().substr(0, 80) + "; built for model_type \"mistral\" alone");
  }
  return 0;
}

// The fields of `rope_type: llama3`, all of them required.
Llama3Scaling take_llama3(Fields& fields) {
  const auto number = [&](const std::string& key) {
    const std::optional<double> value = fields.take_positive(key);
    if (!value) fields.fail(key, "is missing; rope_type \"llama3\" needs it");
    return *value;
  };
  Llama3Scaling scaling;
  scaling.factor = number("factor");
  scaling.low_freq_factor = number("low_freq_factor");
  scaling.high_freq_factor = number("high_freq_factor");
  if (!(scaling.low_freq_factor < scaling.high_freq_factor)) {
    fields.fail("high_freq_factor", "is not above low_freq_factor");
  }
  scaling.original_max_positions = fields.take_size("original_max_position_embeddings");
  return scaling;
}

// `theta` undefined: the object does not say.
struct RopeObject {
  std::optional<double> theta;
  std::optional<Llama3Scaling> llama3;
};

// rope_scaling (transformers 4) or rope_parameters (5).
std::optional<RopeObject> take_rope_object(Fields& outer, const std::string& field) {
  json value = outer.take(field);
  if (value.is_null()) return std::nullopt;
  if (!value.is_object()) outer.fail(field, "is " + value.dump().substr(0, 80) + ", not an object");
  Fields fields = outer.inside(field, std::move(value));
  std::string type = "default";
  for (const char* key : {"type", "rope_type"}) {  // the second is what transformers reads first
    const json named = fields.take(key);
    if (named.is_null()) continue;
    if (named != "default" && named != "llama3") {
      fields.fail(
          key, "is " + named.dump().substr(0, 80) + "; only \"default\" and \"llama3\" are built");
    }
    type = named;
  }
  RopeObject rope{fields.take_positive("rope_theta"), std::nullopt};
  if (type == "llama3") rope.llama3 = take_llama3(fields);
  fields.require_nothing_left();
  return rope;
}

RopeConfig take_rope(Fields& fields) {
  std::optional<double> theta = fields.take_positive("rope_theta");
  std::optional<RopeObject> first;
  for (const char* field : {"rope_scaling", "rope_parameters"}) {
    const std::optional<RopeObject> rope = take_rope_object(fields, field);
    if (!rope) continue;
    if (theta && rope->theta && *theta != *rope->theta) {
      fields.fail(std::string(field) + ".rope_theta", "differs from 'rope_theta'");
    }
    if (first && first->llama3 != rope->llama3) {
      fields.fail(field, "scales otherwise than 'rope_scaling'");
    }
    if (rope->theta) theta = rope->theta;
    first = rope;
  }
  return {theta.value_or(RopeConfig{}.theta), first ? first->llama3 : std::nullopt};
}

void take_sizes(Fields& fields, Family family, ModelConfig& config) {
  config.vocab_size = fields.take_size("vocab_size");
  config.hidden_size = fields.take_size("hidden_size");
  config.intermediate_size = fields.take_size("intermediate_size");
  config.num_hidden_layers = fields.take_size("num_hidden_layers", kLayersMax);
  config.num_attention_heads = fields.take_size("num_attention_heads");
  constexpr std::int64_t kMistralKvHeads = 8;  // of a field that is not even null
  const bool is_absent = family == Family::kMistral && !fields.has("num_key_value_heads");
  config.num_key_value_heads =
      fields.take_integer("num_key_value_heads", 1, kSizeMax)
          .value_or(is_absent ? kMistralKvHeads : config.num_attention_heads);
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
  const Family family = take_family(fields);
  take_sizes(fields, family, config);
  config.rope = take_rope(fields);
  config.sliding_window = take_sliding_window(fields, family);
  config.max_positions = fields.take_integer("max_position_embeddings", 1, kSizeMax);
  config.rms_norm_eps = fields.take_positive("rms_norm_eps").value_or(config.rms_norm_eps);
  config.tie_word_embeddings = fields.take_bool("tie_word_embeddings", false);
  take_token_ids(fields, config);
  fields.require_nothing_left();
  return config;
}

}  // namespace twinrun::trainer
