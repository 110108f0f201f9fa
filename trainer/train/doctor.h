#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

namespace twinrun::trainer {

/// What the libraries report about this machine, whether a configuration could run here, and what
/// its numerics mode (without one: deterministic) sets, would be broken by, and cannot promise:
///
///   {"checks": [CHECK...],
///    "numerics": {"mode", "device", "set": [{"name","value","reason"}...], "breaks": [CHECK...],
///                 "not_promised": [TEXT...]}}
///   CHECK: {"name", "state": "ok|warning|problem", "message"}
///
/// `numerics` is null if the configuration or its device does not exist here.
nlohmann::json doctor(const std::optional<std::filesystem::path>& config);

}  // namespace twinrun::trainer
