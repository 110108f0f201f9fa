#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "harness/config/case.h"

namespace twinrun::harness {

/// For people, before anything runs: a line a metric that the case has a margin for, with the
/// smallest margin that could be shown at best, as far as that can be told beforehand. The final
/// loss takes a calibration in `calibrations` of this identity and these settings. Empty if the
/// case declares no statistics.
std::vector<std::string> reachable_lines(const ResolvedCase& resolved,
                                         const std::filesystem::path& calibrations);

}  // namespace twinrun::harness
