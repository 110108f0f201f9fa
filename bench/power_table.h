#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace twinrun::bench {

/// What the results of a study come to, as docs/error-rates.md shows it: a Markdown table of false
/// alarms and of each fault, with Clopper-Pearson bounds. `lines` are those of the results file,
/// the first being what the study was.
std::string power_table(const std::vector<nlohmann::json>& lines);

}  // namespace twinrun::bench
