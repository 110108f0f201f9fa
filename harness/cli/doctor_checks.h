#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "harness/config/case.h"

namespace twinrun::harness {

struct DoctorCheck {
  enum class State {
    kOk,
    kWarning,  ///< a run works, but perhaps not as meant
    kProblem,  ///< a run would fail or not be what it promises; the caller can fix it
    kFailed,   ///< the check itself could not be carried out
  };
  std::string name;
  State state = State::kOk;
  std::string message;  ///< for people
};

/// `ok`, `warning`, `problem`, `failed`.
std::string to_string(DoctorCheck::State state);

/// Room for evidence and permission to write, in the nearest folder above `output` that exists.
DoctorCheck check_disk(const std::filesystem::path& output);

/// Cores and CPUs of this process against the case's threads.
DoctorCheck check_cpu(const std::optional<ResolvedCase>& resolved);

/// Memory that is free, limits of the control group included, against the size of the weights.
DoctorCheck check_memory(const std::optional<ResolvedCase>& resolved);

/// Reads an environment variable; nullopt if it is unset.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

/// One check a variable that is set and may change numerics or speed; a single good one if there is
/// none. What breaks determinism is a problem unless the case asks for `fast`.
std::vector<DoctorCheck> check_environment(const Environment& environment,
                                           const std::optional<ResolvedCase>& resolved);

/// Whether the trainer can be started, and what `TRAINER doctor [CONFIG.json] --json` reports. A
/// foreign trainer need not know that command and is not asked.
std::vector<DoctorCheck> check_trainer(const std::filesystem::path& default_trainer,
                                       const std::optional<ResolvedCase>& resolved);

}  // namespace twinrun::harness
