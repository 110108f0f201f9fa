#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace twinrun::trainer {

struct LoraConfig {
  std::int64_t rank = 8;
  double alpha = 16;
  double dropout = 0;
  std::vector<std::string> target_modules;  ///< of kModuleNames
  /// Kalajdzievski, "A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA",
  /// arXiv:2312.03732.
  bool use_rslora = false;

  /// What the update is multiplied by: alpha / rank, with use_rslora alpha / sqrt(rank).
  double scaling() const;
};

/// adapter_config.json as PEFT writes it.
nlohmann::json adapter_config_json(const LoraConfig& lora, const std::string& base_model);

/// Throws ModelError (file, field, value) unless the adapter_config.json at `path` describes an
/// adapter of `lora`: same rank, alpha, target modules and use_rslora, whatever its dropout, and by
/// name for every field that would make it another kind of adapter (rank_pattern, alpha_pattern,
/// modules_to_save, bias, use_dora, layers_to_transform, ...) or that nobody knows.
void require_adapter_config(const std::filesystem::path& path, const LoraConfig& lora);

}  // namespace twinrun::trainer
