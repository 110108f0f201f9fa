#pragma once

#include <stdexcept>

namespace twinrun::harness {

/// The caller can fix it: a flag, a YAML key, a path. Becomes exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The runs could not be finished or lined up: the trainer died, a step is missing. Exit code 3.
struct NoVerdictError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Evidence does not hold: a digest, a chain or a sealed file is not what it says. Exit code 5.
struct EvidenceError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What the process tells CI. A promise: docs/protocol.md has the table, a test pins it.
enum class ExitCode : int {
  kReproduced = 0,
  kNotReproduced = 1,
  kUsage = 2,
  kNoVerdict = 3,
  kInternal = 4,
  kEvidence = 5,
  kInterrupted = 130,  ///< SIGINT
  kTerminated = 143,   ///< SIGTERM
};

}  // namespace twinrun::harness
