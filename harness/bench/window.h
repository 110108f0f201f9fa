#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness/bench/plan.h"

namespace twinrun::harness {

/// An arm that cannot be timed, or not any more: it died, hung, or answered what it should not.
struct ArmError : std::runtime_error {
  ArmError(std::string why, const std::string& message)
      : std::runtime_error(message), reason(std::move(why)) {}
  std::string reason;  ///< machine-readable: trainer_failed, timed_out, malformed, ...
};

/// What an arm says when it is warm; docs/protocol.md section 11.
struct ArmReady {
  double step_ns = 0;   ///< median of the warm-up
  double delay_ns = 0;  ///< waited inside each step
  nlohmann::json device;
  nlohmann::json line;  ///< whole
};

/// One window as an arm reports it. Nothing is known where an optional is empty.
struct Window {
  std::int64_t steps = 0;
  double host_ns = 0;
  std::optional<double> device_ns;
  std::optional<double> sm_mhz, sm_mhz_max, power_w, temperature_c;
  std::vector<std::string> throttle;
  std::optional<std::int64_t> other_processes;

  /// Time of a step: the device's where it has a clock of its own.
  double step_ns() const { return device_ns.value_or(host_ns) / static_cast<double>(steps); }
};

/// The fields that a line of windows.jsonl has of a window, and back. Throws std::exception if
/// `value` holds no window.
nlohmann::json to_json(const Window& window);
Window window_from_json(const nlohmann::json& value);

// The messages of the ArmErrors do not name the arm: TrainerArm does.

/// Reads a ready line. Throws ArmError `malformed` if it is none, `not_as_asked` if numerics,
/// switches or delay are other than `spec` asks for.
ArmReady parse_ready(const std::string& line, const ArmSpec& spec);

/// Reads the answer to the `index`-th (1, 2, ...) `run STEPS` of a process. Throws ArmError:
/// `malformed` if it is none, has a time that is no positive number, another number of steps or
/// another index; `non_finite` if the loss is no number.
Window parse_window(const std::string& line, std::int64_t index, std::int64_t steps);

/// Why a window does not count, by rules that were there before it: `throttled`, `slow_clock`,
/// `foreign_process`, `clocks_differ`. Empty if it counts.
std::string exclusion(const Window& window);

}  // namespace twinrun::harness
