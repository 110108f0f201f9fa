#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace twinrun::protocol {

/// Parses one JSON text from any bytes, without throwing. Refused besides what is not JSON: a key
/// that an object has twice, and nesting deeper than 64. On refusal returns nullopt and says why in
/// `problem`.
std::optional<nlohmann::json> parse_strict_json(std::string_view text, std::string& problem);

}  // namespace twinrun::protocol
