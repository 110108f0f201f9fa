#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "harness/config/yaml_tree.h"

namespace twinrun::harness {

/// `statistics:` of a case as judgement.statistics (docs/protocol.md section 12), defaults filled
/// in; an empty mapping gives all of them.
///
/// steps    train.steps
/// foreign  the trainer may know no checkpoints: without restore_at nothing is restored
///
/// Throws UsageError as resolve_case does: also for an alpha that so few calibration_runs cannot
/// reach, for restore_at that does not rise, for a margin of no known metric.
nlohmann::json read_statistics_section(const YamlNode& node, std::int64_t steps, bool foreign);

}  // namespace twinrun::harness
