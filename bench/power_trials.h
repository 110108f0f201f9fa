#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/config/case.h"

namespace twinrun::bench {

/// A fault of the catalogue, and what a judge has to say of it who names the right cause.
struct CataloguedFault {
  std::string kind;  ///< of docs/faults.md
  /// Fields one of which has to differ first; or, where there is none, the reason of the verdict.
  std::vector<std::string> fields = {};
  std::string reason = {};
  std::int64_t first_step = 1;  ///< the first step that it can be planted at
  bool later = false;           ///< may show at a later step than its own
  bool accumulates = false;     ///< needs a gradient_accumulation of 2 or more
  bool tf32 = false;            ///< needs float32 products on a GPU
  bool clipped = false;         ///< needs gradients that are clipped
};
const std::vector<CataloguedFault>& fault_catalogue();

/// What is studied: the bitwise verdict; the statistical one on a CPU with rounding noise that is
/// made, and on a GPU in `fast` with what noise it has.
enum class Study { kBitwise, kStatistical, kGpu };

/// A case that trials are drawn from. Small random Llamas that differ in shape, dropout,
/// accumulation, clipping, schedule and optimizer: twelve steps to be judged by bits, sixty with
/// the settings of a calibration; on a GPU of 17 million parameters, forty steps.
struct PowerCase {
  std::string name, yaml;
  nlohmann::json model;  ///< config.json
  bool accumulates = false;
  bool tf32 = false;     ///< float32 products on a GPU
  bool clipped = false;  ///< gradients are clipped at every step; for faults that need it alone
};
std::vector<PowerCase> power_cases(Study study);

/// What is tried: a clean pair, or a fault in one run of a pair.
struct Trial {
  std::int64_t number = 0;
  std::string power_case, fault;  ///< KIND@STEP; empty: none
  std::uint64_t seed = 0;         ///< of the case
};

/// The trials of a study, in an order in which any beginning of them is a fair sample: `clean`
/// clean pairs, `each` of every fault, or of the fault `only`. Cases, seeds (one a case where there
/// is a calibration, which is of one) and steps are drawn from `seed`.
std::vector<Trial> plan_trials(std::int64_t clean, std::int64_t each, Study study,
                               std::uint64_t seed, const std::string& only);

/// One trial, judged: a line of the results.
/// `work` is a folder for its runs, emptied before and removed behind it. Where there is a
/// calibration of the case it lies in `calibrations`.
nlohmann::json run_trial(const Trial& trial, const harness::ResolvedCase& resolved,
                         const std::filesystem::path& work,
                         const std::filesystem::path& calibrations);

}  // namespace twinrun::bench
