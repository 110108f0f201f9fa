#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/exit_code.h"

namespace twinrun::harness {

/// What a check, or the whole, comes to; design: docs/protocol.md, "Verdicts and exit codes".
enum class Verdict {
  kEvidenceInvalid,
  kInternal,
  kNotReproduced,
  kSlowdownExceeded,
  kInvalid,
  kInconclusive,
  kReproduced,
  kNotRun,  ///< of a check only; shown, never green
};

/// REPRODUCED, NOT_REPRODUCED, ...
std::string to_string(Verdict verdict);
Verdict verdict_from_string(const std::string& text);  ///< throws std::invalid_argument
ExitCode exit_code(Verdict verdict);

struct Check {
  std::string name;  ///< twin, controls, baseline, inference, bench
  Verdict verdict = Verdict::kNotRun;
  std::string
      reason;  ///< machine-readable: "bitwise", "non_finite", "missing_step", "controls_not_run"
  std::string message;  ///< one sentence for people
};

/// The first that is present in the order of the enum; kInconclusive if no check ran at all.
/// kNotRun checks are passed over, but a list in which only kNotRun stands is never green.
Verdict overall(const std::vector<Check>& checks);

}  // namespace twinrun::harness
