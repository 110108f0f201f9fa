#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "harness/protocol/sha256.h"

namespace twinrun::protocol {

/// `value` in the canonical form of RFC 8785 (JSON Canonicalization Scheme): keys sorted by UTF-16
/// code units, numbers as ECMAScript prints a double, no white space.
///
/// Throws std::invalid_argument for what the form cannot hold: a non-finite number, an integer
/// beyond +-(2^53-1), a string that is not UTF-8.
std::string canonical_json(const nlohmann::json& value);

/// Appends `text` as a JSON string, quotes included, in the canonical form: only what must be
/// escaped is. Throws std::invalid_argument if it is not UTF-8.
void append_json_string(std::string& out, std::string_view text);

/// SHA-256 of canonical_json(value).
Digest canonical_digest(const nlohmann::json& value);

}  // namespace twinrun::protocol
