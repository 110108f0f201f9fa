#pragma once

#include "harness/calibrate/settings.h"
#include "harness/cli/options.h"

namespace twinrun::harness {

/// `twinrun calibrate --accept`: puts the pending calibration in its place, with who, when and why.
/// Returns the exit code. Throws UsageError: a pipeline, no reason, no name, none or several
/// pending; EvidenceError if the pending one is not what was written.
int accept_calibration(const ParsedCommand& parsed);

/// What so many runs buy: "false alarms: 1.00 % of candidates on average, ...".
std::string false_alarm_text(const StatisticsSettings& settings);

}  // namespace twinrun::harness
