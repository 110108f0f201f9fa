#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "harness/bench/judge_bench.h"

namespace twinrun::harness {

/// All that `twinrun bench` has to say.
struct BenchReport {
  std::string case_name, identity;  ///< identity digest of the case in the reference mode
  BenchSettings settings;
  SessionState state;
  BenchVerdict judged;
  double seconds = 0, time_limit_s = 0;  ///< of this call
  std::string started, ended;            ///< of this call; UTC, ISO 8601
};

/// The object of bench.json; harness/protocol/schemas/bench.schema.json.
nlohmann::json to_json(const BenchReport& report);

/// An array for github-action-benchmark (`customSmallerIsBetter`): the candidates, and what was
/// measured of an attribution. Empty where the controls did not pass: such figures are no history.
nlohmann::json github_benchmarks(const BenchReport& report);

/// The verdict, the table of ratios and where the evidence lies, for a person.
std::string bench_text(const BenchReport& report, const std::filesystem::path& folder, bool color);

}  // namespace twinrun::harness
