#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace twinrun::harness {

/// `RUN:KIND@STEP` of the command line: a fault to plant, for testing (docs/faults.md).
struct RunInjection {
  std::string run;    ///< a run's letter, or `both`: every run, controls included
  std::string fault;  ///< KIND@STEP
};

/// Throws UsageError unless RUN is one of `run_names` or `both`, and KIND@STEP is known and within
/// `steps`.
std::vector<RunInjection> parse_run_injections(const std::vector<std::string>& texts,
                                               const std::vector<std::string>& run_names,
                                               std::int64_t steps);

/// Throws UsageError unless `fault` is a known KIND@STEP within `steps`.
void require_fault(const std::string& fault, std::int64_t steps);

/// The faults that hit `run`.
std::vector<std::string> faults_of(const std::vector<RunInjection>& injections,
                                   const std::string& run);

}  // namespace twinrun::harness
