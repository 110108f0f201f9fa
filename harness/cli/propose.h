#pragma once

#include <filesystem>
#include <string>

#include "harness/compare/compare.h"
#include "harness/report/verdict_json.h"

namespace twinrun::harness {

/// Where `run` found no curve of its key in `folder`, or another one, writes it there as a pending
/// curve, and says on stderr what came of it. Only a run that stands by itself is written: twins
/// that reproduced, every control passed, no other check against it, nothing planted, every step.
/// The folder is made if it is missing. Never throws: the verdict stands whatever comes of this.
///
/// verdict_text  verdict.json, whole
/// why_not       what the caller knows against it; empty: nothing
void propose(const std::filesystem::path& folder, const RunView& run, const VerdictReport& report,
             const std::string& verdict_text, const std::string& why_not);

/// Says on stderr how many curves in `folder` are of another experiment than `identity`, which no
/// run of this case can meet any more. Silent if there are none.
void tell_obsolete(const std::filesystem::path& folder, const std::string& identity);

}  // namespace twinrun::harness
