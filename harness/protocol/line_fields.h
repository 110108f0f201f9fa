#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

#include "harness/protocol/record.h"

namespace twinrun::protocol {

// Strict reading of the fields of one line, for the parsers of this room. `field` is what the
// message calls the value.

/// Ends the reading of a line at its first bad field. The parsers catch it and tell it as a value.
struct BadField : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// `line` as an object with exactly these fields.
nlohmann::json parse_object(std::string_view line, std::initializer_list<const char*> fields);
/// Throws unless `object` has exactly these fields; `field` is empty for a whole line.
void require_fields(const nlohmann::json& object, std::initializer_list<const char*> fields,
                    const std::string& field);

/// "field 'x' should be ..., found ...".
[[noreturn]] void fail_field(const std::string& field, const std::string& wanted,
                             const nlohmann::json& found);

std::int64_t integer_value(const nlohmann::json& value, const std::string& field,
                           std::int64_t least);
std::string string_value(const nlohmann::json& value, const std::string& field);
/// 64 lower-case hex digits.
Digest digest_value(const nlohmann::json& value, const std::string& field);
/// An array.
const nlohmann::json& list_value(const nlohmann::json& value, const std::string& field);
/// A string or an integer.
SampleId sample_id_value(const nlohmann::json& value, const std::string& field);
/// Lower-case hex digits, as many as the bits take.
float float_bits_value(const nlohmann::json& value, const std::string& field);
/// `{"bits","value"}`: the value for people has to read back as the number that the bits are.
float float_value(const nlohmann::json& value, const std::string& field);
double double_value(const nlohmann::json& value, const std::string& field);
Promise promise_value(const nlohmann::json& value, const std::string& field);

}  // namespace twinrun::protocol
