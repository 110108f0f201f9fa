#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
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

/// What a trainer says of its numerics mode on this machine.
struct NumericsReport {
  struct Switch {
    std::string name;
    nlohmann::json value;  ///< as read back: a boolean, a number or a text
    std::string reason;
  };
  std::string mode, device;
  std::vector<Switch> set;
  std::vector<DoctorCheck> breaks;  ///< variables that are set and facts that were found
  std::vector<std::string> not_promised;
};

struct TrainerReport {
  std::vector<DoctorCheck> checks;
  std::optional<NumericsReport> numerics;
};

/// Whether the trainer can be started, and what `TRAINER doctor [CONFIG.json] --json` reports. A
/// foreign trainer need not know that command and is not asked.
TrainerReport check_trainer(const std::filesystem::path& default_trainer,
                            const std::optional<ResolvedCase>& resolved);

}  // namespace twinrun::harness
