#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "harness/cli/judge.h"
#include "harness/cli/nuisance.h"
#include "harness/config/case.h"
#include "harness/protocol/run_config.h"

namespace twinrun::harness {

/// A run as it is about to be started.
struct RunPlan {
  std::string name;           ///< a, b, ...; a control's name
  std::filesystem::path dir;  ///< absolute; empty or not there yet, but with `resume`
  protocol::RunConfig config;
  std::vector<std::string> inject;  ///< KIND@STEP
  Nuisance nuisance;
  bool resume = false;  ///< `dir` holds a run, which goes on
};

/// `config` as the run `name` gets it: with its name, faults and nuisance, and where the case asks
/// for rounding noise (launch.shuffle_reductions) with a seed for its own, which derives from the
/// case's and the name.
protocol::RunConfig config_of_run(protocol::RunConfig config, const std::string& name,
                                  const std::vector<std::string>& inject, const Nuisance& nuisance);

/// What has changed of the trainer's files since the case was resolved, for people; empty if
/// nothing has. Runs of different programs say nothing about whether one of them repeats.
std::string changed_program(const ResolvedCase& resolved);

/// Writes config.json, starts `COMMAND... train CONFIG --run-dir DIR [--resume]` with the nuisance
/// really applied, waits for it and reads what it left. A run whose process did not exit with 0 is
/// never intact, whatever its record says, nor is one after which a file of the command is no
/// longer what it was when the case was resolved (reason `binary_changed`).
///
/// Throws UsageError with the trainer's message if it could not be started or ended as
/// `usage_error`. A run that failed, timed out or was interrupted is told by the result.
/// `like`, a run that was read before or null, saves reading what both have in common.
JudgedRun execute_run(const RunPlan& plan, const ResolvedCase& resolved, bool quiet,
                      const RunView* like = nullptr);

}  // namespace twinrun::harness
