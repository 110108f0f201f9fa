#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "harness/config/yaml_tree.h"
#include "harness/evaluate/row_clusters.h"

namespace twinrun::harness {

/// `evaluation:` of a case, resolved: launch.evaluation and judgement.evaluation of
/// docs/protocol.md section 13.
struct EvaluationPart {
  nlohmann::json launch, judgement;
  RowClusters rows;  ///< of the held-out file: its lines that are not blank
};

/// `200 held-out rows in 50 clusters`; without clusters `200 held-out rows`.
std::string rows_words(const RowClusters& rows);

/// Reads the section (its path is relative to `folder`) and hashes the held-out file; the trainer
/// reads its rows. `identity` is the case's so far, `every` its train.eval_every.
///
/// Throws UsageError as resolve_case does; data.synthetic, whose model has no text, is refused.
EvaluationPart read_evaluation_section(const YamlNode& node, const std::filesystem::path& folder,
                                       const nlohmann::json& identity, std::int64_t every);

/// Refuses margins of `statistics` (resolved, read from `node`) that no run could ever pass: of
/// metrics of held-out rows where `evaluation` (null if there is none) does not make them, or that
/// are smaller than so many rows can show though every row were the same. Throws UsageError.
void check_margins(const YamlNode& node, const nlohmann::json& statistics,
                   const EvaluationPart* evaluation);

}  // namespace twinrun::harness
