#pragma once

#include <string>

#include "harness/report/evidence.h"
#include "harness/report/verdict_file.h"

namespace twinrun::harness {

/// The verdict as JUnit XML: one suite, a test case for the whole, for each check, each control and
/// each record. A shown difference (also in cost) is a `failure`; what kept the judge from telling
/// (a crash, missing or broken data) is an `error`; NOT_RUN is `skipped` with its reason.
std::string to_junit(const VerdictFile& verdict, const Evidence& evidence);

}  // namespace twinrun::harness
