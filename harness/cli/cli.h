#pragma once

#include <string>
#include <vector>

namespace twinrun::harness {

/// Runs `twinrun ARGS...` and returns its exit code; the first argument names the command.
///
/// Results go to stdout, messages to stderr. Throws UsageError, NoVerdictError, or what the
/// libraries below throw; only main turns an exception into an exit code.
int run_command_line(const std::vector<std::string>& args);

}  // namespace twinrun::harness
