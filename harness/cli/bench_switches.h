#pragma once

#include <string>
#include <vector>

#include "harness/config/case.h"

namespace twinrun::harness {

/// The numerics switches that the trainer can force one by one: `bench_switches` of
/// `COMMAND... doctor CONFIG.json --json` (docs/protocol.md section 11).
///
/// Throws UsageError if it does not answer that, or lists none, NoVerdictError if this was
/// interrupted.
std::vector<std::string> bench_switches(const ResolvedCase& resolved);

}  // namespace twinrun::harness
