#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "harness/protocol/run_config.h"

namespace twinrun::trainer {

/// `launch.bench` of config.json (docs/protocol.md section 11).
struct BenchOptions {
  std::int64_t warmup_steps = 0;         ///< at least 1
  double delay = 0;                      ///< fraction of a step, 0 .. 1
  std::map<std::string, bool> switches;  ///< true: as `deterministic`, false: the library's default
};

/// Throws ConfigError naming the key that is missing, unknown, of a wrong type or out of range, and
/// for planted faults, which have no place in a measurement.
BenchOptions read_bench_options(const protocol::RunConfig& config);

}  // namespace twinrun::trainer
