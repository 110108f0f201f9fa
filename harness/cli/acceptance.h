#pragma once

#include <filesystem>
#include <string>

#include "harness/baseline/review.h"
#include "harness/cli/options.h"

namespace twinrun::harness {

/// Throws UsageError in a pipeline: what a person has to do there is `doing`, as in "accept a
/// baseline".
void require_person(const std::string& doing);

/// --who (without it, git's user as seen from `folder`), now, and --why. Throws UsageError if the
/// reason is missing or nobody is named; `what` is what it is to be the reason for, as in "curve".
Acceptance read_acceptance(const ParsedCommand& parsed, const std::filesystem::path& folder,
                           const std::string& what);

}  // namespace twinrun::harness
