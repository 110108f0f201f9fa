#pragma once

#include <string>

namespace twinrun::trainer {

/// How a command of twinrun-train ended that did not complete.
struct Failure {
  const char* status;  ///< `usage_error`: the caller can fix it; `failed`
  int exit_code;       ///< 2, 3
  std::string message;
};

inline constexpr int kExitComplete = 0, kExitUsage = 2, kExitFailed = 3;

/// What the exception that is being handled means for the caller. REQUIRES: called in a handler.
Failure current_failure();

/// Says that on stderr, in one line whatever the exception's text: the judge quotes the last one.
/// Returns the exit code. REQUIRES: called in a handler.
int say_current_failure();

}  // namespace twinrun::trainer
