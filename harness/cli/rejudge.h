#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "harness/cli/judge.h"
#include "harness/report/verdict_file.h"

namespace twinrun::harness {

struct Rejudgement {
  VerdictReport report;                  ///< as the records come out now
  std::vector<std::string> differences;  ///< from the verdict that is there; empty if none
  std::vector<std::string> taken_over;   ///< what records alone cannot show again, a sentence each
};

/// Judges the records of `verdict` again, from its folder, and holds what comes out against what it
/// says: the verdict, every check, run, pair and control, first divergence and all, but not the
/// sentences, times and memory.
///
/// Whether there are outputs to judge, the configurations of the runs say. Taken over is what no
/// record shows: that a trainer failed at the end of a whole record, made no outputs or was changed
/// between two runs (which only makes a verdict worse), and checks that are not judged from records
/// (`taken_over` names them).
///
/// curves  folder of the baseline's curve
Rejudgement rejudge(const VerdictFile& verdict, const std::filesystem::path& curves);

}  // namespace twinrun::harness
