#pragma once

#include <string>

namespace twinrun::harness {

/// ci/workflows/pull-request.yml, as it was when this program was built.
extern const char* const kPullRequestWorkflow;

}  // namespace twinrun::harness
