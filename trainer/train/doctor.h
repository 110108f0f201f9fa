#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

namespace twinrun::trainer {

/// What the libraries report about this machine and, with a configuration, whether it could run
/// here:
/// {"checks":[{"name","state":"ok|warning|problem","message"}]}.
nlohmann::json doctor(const std::optional<std::filesystem::path>& config);

}  // namespace twinrun::trainer
