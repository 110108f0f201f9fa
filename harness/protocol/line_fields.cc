#include "harness/protocol/line_fields.h"

#include <bit>
#include <cmath>
#include <limits>
#include <optional>

#include "harness/protocol/strict_json.h"

namespace twinrun::protocol {
namespace {

using nlohmann::json;

template <typename Bits>
Bits bits_of(const json& value, const std::string& field) {
  const std::string text = string_value(value, field);
  Bits bits = 0;
  bool good = text.size() == 2 * sizeof bits;
  for (const char c : text) {
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    good = good && hex;
    bits = static_cast<Bits>(bits << 4 | (c <= '9' ? c - '0' : c - 'a' + 10));
  }
  if (!good) fail_field(field, std::to_string(2 * sizeof bits) + " lower-case hex digits", value);
  return bits;
}

template <typename Float, typename Bits>
Float number(const json& pair, const std::string& field) {
  if (!pair.is_object() || pair.size() != 2 || !pair.contains("bits") || !pair.contains("value")) {
    fail_field(field, "an object of 'bits' and 'value'", pair);
  }
  const auto result = std::bit_cast<Float>(bits_of<Bits>(pair.at("bits"), field + ".bits"));
  const json& value = pair.at("value");
  const bool agrees = std::isfinite(result)
                          ? value.is_number() && static_cast<Float>(value.get<double>()) == result
                          : value.is_null();
  if (!agrees) {
    fail_field(field + ".value", "the number that the bits are (null if not finite)", pair);
  }
  return result;
}

}  // namespace

void require_fields(const json& object, std::initializer_list<const char*> fields,
                    const std::string& field) {
  const std::string prefix = field.empty() ? "" : field + ".";
  if (!object.is_object()) {
    if (field.empty()) throw BadField("not a JSON object");
    fail_field(field, "an object", object);
  }
  for (const char* name : fields) {
    if (!object.contains(name)) throw BadField("field '" + prefix + name + "' is missing");
  }
  if (object.size() == fields.size()) return;
  for (const auto& item : object.items()) {
    bool known = false;
    for (const char* name : fields) known = known || item.key() == name;
    if (!known) throw BadField("unknown field '" + prefix + item.key() + "'");
  }
}

json parse_object(std::string_view line, std::initializer_list<const char*> fields) {
  std::string problem;
  std::optional<json> object = parse_strict_json(line, problem);
  if (!object) throw BadField(problem);
  require_fields(*object, fields, "");
  return std::move(*object);
}

void fail_field(const std::string& field, const std::string& wanted, const json& found) {
  constexpr std::size_t kShownMax = 80;
  std::string text = found.dump();
  if (text.size() > kShownMax) text = text.substr(0, kShownMax) + "...";
  throw BadField("field '" + field + "' should be " + wanted + ", found " + text);
}

std::int64_t integer_value(const json& value, const std::string& field, std::int64_t least) {
  const std::string wanted = "an integer from " + std::to_string(least);
  if (!value.is_number_integer()) fail_field(field, wanted, value);
  if (value.is_number_unsigned() &&
      value.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
    fail_field(field, wanted, value);
  }
  const auto number = value.get<std::int64_t>();
  if (number < least) fail_field(field, wanted, value);
  return number;
}

std::string string_value(const json& value, const std::string& field) {
  if (!value.is_string()) fail_field(field, "a string", value);
  return value.get<std::string>();
}

Digest digest_value(const json& value, const std::string& field) {
  const auto parsed =
      value.is_string() ? digest_from_hex(value.get_ref<const std::string&>()) : std::nullopt;
  if (!parsed) fail_field(field, "64 lower-case hex digits", value);
  return *parsed;
}

const json& list_value(const json& value, const std::string& field) {
  if (!value.is_array()) fail_field(field, "an array", value);
  return value;
}

SampleId sample_id_value(const json& value, const std::string& field) {
  if (value.is_string()) return value.get<std::string>();
  return integer_value(value, field, std::numeric_limits<std::int64_t>::min());
}

float float_bits_value(const json& value, const std::string& field) {
  return std::bit_cast<float>(bits_of<std::uint32_t>(value, field));
}

float float_value(const json& value, const std::string& field) {
  return number<float, std::uint32_t>(value, field);
}

double double_value(const json& value, const std::string& field) {
  return number<double, std::uint64_t>(value, field);
}

Promise promise_value(const json& value, const std::string& field) {
  if (value != "bitwise" && value != "none") fail_field(field, "bitwise or none", value);
  return value == "bitwise" ? Promise::kBitwise : Promise::kNone;
}

}  // namespace twinrun::protocol
