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
};
const std::vector<CataloguedFault>& fault_catalogue();

/// The cases that trials are drawn from: small random Llamas that differ in shape, dropout,
/// accumulation, clipping, schedule and optimizer. Twelve steps; with `noisy` sixty, in `fast` with
/// rounding noise, and the settings of a calibration.
struct PowerCase {
  std::string name, yaml;
  bool accumulates = false;
};
std::vector<PowerCase> power_cases(bool noisy);

/// What is tried: a clean pair, or a fault in one run of a pair.
struct Trial {
  std::int64_t number = 0;
  std::string power_case, fault;  ///< KIND@STEP; empty: none
  std::uint64_t seed = 0;         ///< of the case
};

/// The trials of a study, in an order in which any beginning of them is a fair sample: `clean`
/// clean pairs, `each` of every fault. Cases, seeds (one a case where `noisy`: a calibration is of
/// one) and steps are drawn from `seed`.
std::vector<Trial> plan_trials(std::int64_t clean, std::int64_t each, bool noisy,
                               std::uint64_t seed);

/// One trial, judged: a line of the results.
/// `work` is a folder for its runs, emptied before and removed behind it. In a noisy study the
/// calibration of the case lies in `calibrations`.
nlohmann::json run_trial(const Trial& trial, const harness::ResolvedCase& resolved,
                         const std::filesystem::path& work,
                         const std::filesystem::path& calibrations);

}  // namespace twinrun::bench
