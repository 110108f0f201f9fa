#pragma once

#include <vector>

#include "harness/compare/compare.h"

namespace twinrun::harness {

/// Where `a` and `b` differ, by JSON pointer; a value that only one has is null in the other.
std::vector<Difference> json_differences(const nlohmann::json& a, const nlohmann::json& b);

/// Informative fields of manifest and launch that differ: what may have caused a difference of
/// bits. Planted faults are not looked at.
std::vector<Difference> suspects(const RunView& a, const RunView& b);

}  // namespace twinrun::harness
