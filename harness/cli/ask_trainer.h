#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/config/case.h"
#include "harness/launch/launch.h"

namespace twinrun::harness {

/// What came of asking a trainer about itself.
struct TrainerAnswer {
  LaunchResult launch;
  std::optional<nlohmann::json> said;  ///< nullopt unless it ended by itself, having printed JSON
};

/// Starts `COMMAND... doctor [CONFIG.json] --json` in a temporary folder and waits for it, two
/// minutes at most. `resolved` is the case whose configuration it gets, if any.
///
/// Throws UsageError where there is no folder for temporary files.
TrainerAnswer ask_trainer(const std::vector<std::string>& command,
                          const std::optional<ResolvedCase>& resolved);

/// `ended with exit code 3`, `was interrupted`, ...
std::string how_it_ended(const LaunchResult& result);

}  // namespace twinrun::harness
