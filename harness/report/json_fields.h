#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace twinrun::harness {

// JSON that may lack anything: nothing here throws.

/// The value at `pointer` (RFC 6901); null if there is none.
nlohmann::json at(const nlohmann::json& value, const std::string& pointer);
/// A string there; empty if there is none.
std::string text_at(const nlohmann::json& value, const std::string& pointer);
/// An integer there that an int64 holds.
std::optional<std::int64_t> integer_at(const nlohmann::json& value, const std::string& pointer);
/// The array or object there, else an empty array.
nlohmann::json list_at(const nlohmann::json& value, const std::string& pointer);
/// The value, or null.
template <typename T>
nlohmann::json or_null(const std::optional<T>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}
/// For people: a string as it is, nothing for null, all else as JSON on one line.
std::string words_of(const nlohmann::json& value);

}  // namespace twinrun::harness
