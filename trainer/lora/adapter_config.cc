#include "trainer/lora/adapter_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "trainer/data/input_file.h"
#include "trainer/lora/adapter.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;

/// Fields that leave the adapter's values and their use as they are.
constexpr std::array kOfNoEffect = {
    "auto_mapping", "base_model_name_or_path", "ensure_weight_tying", "inference_mode",
    "lora_dropout", "megatron_core",           "peft_version",        "qalora_group_size",
    "revision",     "runtime_config",          "task_type",
};

/// How PEFT began is no matter for what was saved, unless it changed the base weights for it, as
/// PiSSA, OLoRA, CorDA and LoftQ do.
bool leaves_base_alone(const json& init_lora_weights) {
  return init_lora_weights.is_boolean() || init_lora_weights == "gaussian" ||
         init_lora_weights == "orthogonal";
}

bool is_neutral(const json& value) {
  return value.is_null() || value == false || (value.is_structured() && value.empty());
}

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& field,
                         const json& found, const std::string& what) {
  throw ModelError(path.string() + ": " + field + " is " +
                   (found.is_discarded() ? "missing" : found.dump()) + ", " + what);
}

void require_value(const std::filesystem::path& path, const json& config, const std::string& field,
                   const json& wanted) {
  const json found = config.value(field, json(json::value_t::discarded));
  if (found == wanted) return;
  refuse(path, field, found, "the configuration needs " + wanted.dump());
}

/// As a set: PEFT writes it in any order. Whole names only; a pattern is a text.
void require_targets(const std::filesystem::path& path, const json& config,
                     const std::vector<std::string>& wanted) {
  const json found = config.value("target_modules", json(json::value_t::discarded));
  const std::set<std::string> names(wanted.begin(), wanted.end());
  if (found == "all-linear" && names.size() == kModuleNames.size()) return;
  if (found.is_array() && std::ranges::all_of(found, &json::is_string) &&
      found.get<std::set<std::string>>() == names) {
    return;
  }
  refuse(path, "target_modules", found, "the configuration needs " + json(names).dump());
}

}  // namespace

double LoraConfig::scaling() const {
  const auto r = static_cast<double>(rank);
  return alpha / (use_rslora ? std::sqrt(r) : r);
}

json adapter_config_json(const LoraConfig& lora, const std::string& base_model) {
  auto modules = lora.target_modules;
  std::sort(modules.begin(), modules.end());
  return {{"base_model_name_or_path", base_model},
          {"bias", "none"},
          {"fan_in_fan_out", false},
          {"inference_mode", true},
          {"init_lora_weights", true},
          {"lora_alpha", lora.alpha},
          {"lora_dropout", lora.dropout},
          {"modules_to_save", nullptr},
          {"peft_type", "LORA"},
          {"r", lora.rank},
          {"target_modules", modules},
          {"task_type", "CAUSAL_LM"},
          {"use_dora", false},
          {"use_rslora", lora.use_rslora}};
}

void require_adapter_config(const std::filesystem::path& path, const LoraConfig& lora) {
  json config;
  try {
    config = read_json_object(path);
  } catch (const std::runtime_error& error) {
    throw ModelError(error.what());
  }
  require_value(path, config, "r", lora.rank);
  require_value(path, config, "lora_alpha", lora.alpha);
  require_targets(path, config, lora.target_modules);
  // Where they are left out, PEFT takes these.
  const json defaults = {
      {"bias", "none"}, {"init_lora_weights", true}, {"peft_type", "LORA"}, {"use_rslora", false}};
  for (const auto& [field, value] : defaults.items()) config.emplace(field, value);
  require_value(path, config, "peft_type", "LORA");
  require_value(path, config, "bias", "none");
  require_value(path, config, "use_rslora", lora.use_rslora);
  if (const json& init = config["init_lora_weights"]; !leaves_base_alone(init)) {
    refuse(path, "init_lora_weights", init,
           "so the adapter may belong to base weights that PEFT changed; save it for the model's "
           "own weights");
  }
  for (const char* field : {"r", "lora_alpha", "target_modules", "bias", "use_rslora", "peft_type",
                            "init_lora_weights"}) {
    config.erase(field);
  }
  for (const auto& [field, value] : config.items()) {
    if (is_neutral(value) || std::ranges::count(kOfNoEffect, field) > 0) continue;
    refuse(path, field, value, "which is not built and would give another adapter");
  }
}

}  // namespace twinrun::trainer
