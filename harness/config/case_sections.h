#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/config/fields.h"

namespace twinrun::harness {

// The sections of a case that name files, and what the others share with them.

inline constexpr std::int64_t kCountMax = 1'000'000'000;

/// What reading a section needs to know of the whole case.
struct CaseContext {
  std::filesystem::path folder;  ///< of the case file: paths are relative to it
  bool foreign = false;          ///< another trainer than twinrun-train
  Absent absent() const { return foreign ? Absent::kLeaveOut : Absent::kFallback; }
};

/// A choice of twinrun-train's; a foreign trainer may have others.
Parse trainer_word(const CaseContext& context, std::vector<std::string> built,
                   std::vector<std::string> not_built = {});

struct ModelPart {
  nlohmann::json identity;
  std::filesystem::path path;              ///< folder, or the random model's configuration file
  std::filesystem::path tokenizer_folder;  ///< where its tokenizer stands
};

ModelPart read_model(const YamlNode& node, const CaseContext& context);

struct DataPart {
  nlohmann::json identity;
  std::optional<std::filesystem::path> path;  ///< absent for synthetic data
};

DataPart read_data(const YamlNode& node, const CaseContext& context);

struct LoraPart {
  nlohmann::json identity;
  std::optional<std::filesystem::path> init;  ///< folder of the adapter that training begins with
};

LoraPart read_lora(const YamlNode& node, const CaseContext& context);

}  // namespace twinrun::harness
