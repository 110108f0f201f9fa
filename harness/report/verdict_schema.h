#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace twinrun::harness {

/// Why `value` is not of harness/protocol/schemas/verdict.schema.json: the place and what is wrong
/// there; empty if it is. The schema is built into the program.
std::string verdict_schema_problem(const nlohmann::json& value);

}  // namespace twinrun::harness
