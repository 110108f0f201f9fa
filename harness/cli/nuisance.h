#pragma once

#include <sys/types.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace twinrun::harness {

/// What must not matter for the bits of a run, and therefore differs between the runs on purpose.
struct Nuisance {
  std::string tz;      ///< TZ
  std::string locale;  ///< LC_ALL, one that this system has
  mode_t umask = 022;
  int hash_seed = 0;                      ///< PYTHONHASHSEED
  std::int64_t gpu_memory_offset_mb = 0;  ///< allocated by the trainer before its model

  /// launch.nuisance of config.json; docs/protocol.md section 2.
  nlohmann::json to_json() const;
  /// What the trainer finds in its environment.
  std::vector<std::pair<std::string, std::string>> environment() const;
};

/// The nuisance of the `index`-th run (0, 1, ...). Neighbours differ in every part.
Nuisance nuisance_of_run(int index);

}  // namespace twinrun::harness
