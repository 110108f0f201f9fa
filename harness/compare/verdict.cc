#include "harness/compare/verdict.h"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace twinrun::harness {
namespace {

struct Row {
  Verdict verdict;
  const char* name;
  ExitCode exit_code;
};

constexpr std::array kRows = {
    Row{Verdict::kEvidenceInvalid, "EVIDENCE_INVALID", ExitCode::kEvidence},
    Row{Verdict::kInternal, "INTERNAL", ExitCode::kInternal},
    Row{Verdict::kNotReproduced, "NOT_REPRODUCED", ExitCode::kNotReproduced},
    Row{Verdict::kSlowdownExceeded, "SLOWDOWN_EXCEEDED", ExitCode::kNotReproduced},
    Row{Verdict::kInvalid, "INVALID", ExitCode::kNoVerdict},
    Row{Verdict::kInconclusive, "INCONCLUSIVE", ExitCode::kNoVerdict},
    Row{Verdict::kReproduced, "REPRODUCED", ExitCode::kReproduced},
    Row{Verdict::kNotRun, "NOT_RUN", ExitCode::kNoVerdict},
};

const Row& row(Verdict verdict) {
  for (const Row& candidate : kRows) {
    if (candidate.verdict == verdict) return candidate;
  }
  throw std::invalid_argument("no such verdict: " + std::to_string(static_cast<int>(verdict)));
}

}  // namespace

std::string to_string(Verdict verdict) { return row(verdict).name; }

Verdict verdict_from_string(const std::string& text) {
  for (const Row& candidate : kRows) {
    if (text == candidate.name) return candidate.verdict;
  }
  throw std::invalid_argument("no such verdict: '" + text + "'");
}

ExitCode exit_code(Verdict verdict) { return row(verdict).exit_code; }

Verdict overall(const std::vector<Check>& checks) {
  Verdict worst = Verdict::kNotRun;
  for (const Check& check : checks) worst = std::min(worst, check.verdict);
  return worst == Verdict::kNotRun ? Verdict::kInconclusive : worst;
}

}  // namespace twinrun::harness
