#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "harness/config/yaml_tree.h"

namespace twinrun::harness {

/// `evaluation:` of a case, resolved: launch.evaluation and judgement.evaluation of
/// docs/protocol.md section 13.
struct EvaluationPart {
  nlohmann::json launch, judgement;
};

/// Reads the section (its path is relative to `folder`) and hashes the held-out file; the trainer
/// reads its rows. `identity` is the case's so far, `every` its train.eval_every.
///
/// Throws UsageError as resolve_case does; data.synthetic, whose model has no text, is refused.
EvaluationPart read_evaluation_section(const YamlNode& node, const std::filesystem::path& folder,
                                       const nlohmann::json& identity, std::int64_t every);

}  // namespace twinrun::harness
