#include "harness/cli/propose.h"

#include <exception>
#include <iostream>
#include <vector>

#include "harness/baseline/curve.h"
#include "harness/baseline/curve_store.h"
#include "harness/baseline/write_curve.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;

/// What of the verdict, the baseline left aside, keeps a run from becoming one; empty: nothing.
std::string weakness(const RunView& run, const VerdictReport& report) {
  std::vector<Check> others;
  for (const Check& check : report.checks) {
    if (check.name == "baseline") continue;
    const bool needed = check.name == "twin" || check.name == "controls";
    if (needed && check.verdict != Verdict::kReproduced) return check.message;
    others.push_back(check);
  }
  if (overall(others) != Verdict::kReproduced) return "another check is not green";
  const bool whole = run.summary.end && run.summary.end->steps == run.summary.header->steps;
  return whole ? "" : "run a stopped early";
}

}  // namespace

void propose(const fs::path& folder, const RunView& run, const VerdictReport& report,
             const std::string& verdict_text, const std::string& why_not) {
  const std::string& reason = report.baseline.check.reason;
  if (reason != "no_baseline" && reason != "baseline_differs") return;
  const std::string against = why_not.empty() ? weakness(run, report) : why_not;
  if (!against.empty()) {
    std::cerr << "twinrun: no pending curve was written: " << one_line(against) << "\n";
    return;
  }
  try {
    fs::create_directory(folder);
    const Proposal proposal = propose_curve(folder, run, verdict_text, report.ended);
    std::cerr << "twinrun: run a "
              << (proposal.written ? "is written as a pending curve" : "is pending already")
              << "; look at it with: twinrun baseline review "
              << one_line(shell_quote(proposal.file.string())) << "\n";
  } catch (const std::exception& error) {
    std::cerr << "twinrun: no pending curve could be written, the verdict stands: "
              << one_line(error.what()) << "\n";
  }
}

void tell_obsolete(const fs::path& folder, const std::string& identity) {
  long long obsolete = 0;
  for (const fs::path& file : curves_in(folder)) {
    const auto key = described_key(file);
    if (key && key->contains("identity") && key->at("identity") != identity) ++obsolete;
  }
  if (obsolete == 0 || identity.empty()) return;
  std::cerr << "twinrun: obsolete in " << one_line(folder.string()) << ": "
            << count_of(obsolete, "curve") << "; `twinrun baseline prune` names them\n";
}

}  // namespace twinrun::harness
