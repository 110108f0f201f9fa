#pragma once

#include <string>

#include "harness/report/document.h"
#include "harness/report/evidence.h"
#include "harness/report/verdict_file.h"

namespace twinrun::harness {

/// Everything that a report says, for an auditor who never saw twinrun: verdict, what was compared,
/// first divergence, curves, checks, controls, what ran, how to check it again, and what was not
/// shown.
///
/// made: UTC of the report itself; empty: not said, so that equal verdicts give equal bytes
Document describe(const VerdictFile& verdict, const Evidence& evidence, const std::string& made);

/// The sentence behind the verdict: that of the first check which came to it; of runs that promise
/// no bits and are REPRODUCED, how close they came.
std::string headline(const VerdictFile& verdict);

/// The comparison that decided, the first of the worst verdict; null if none was made.
nlohmann::json deciding_pair(const VerdictFile& verdict);

}  // namespace twinrun::harness
