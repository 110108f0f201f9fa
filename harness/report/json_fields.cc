#include "harness/report/json_fields.h"

namespace twinrun::harness {

using nlohmann::json;

json at(const json& value, const std::string& pointer) {
  const json::json_pointer place(pointer);
  return value.is_structured() && value.contains(place) ? value.at(place) : json();
}

std::string text_at(const json& value, const std::string& pointer) {
  const json found = at(value, pointer);
  return found.is_string() ? found.get<std::string>() : std::string();
}

std::optional<std::int64_t> integer_at(const json& value, const std::string& pointer) {
  const json found = at(value, pointer);
  if (!found.is_number_integer()) return std::nullopt;
  if (found.is_number_unsigned() && found.get<std::uint64_t>() > std::uint64_t{INT64_MAX}) {
    return std::nullopt;
  }
  return found.get<std::int64_t>();
}

json list_at(const json& value, const std::string& pointer) {
  const json found = at(value, pointer);
  return found.is_structured() ? found : json::array();
}

std::string words_of(const json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return value.get<std::string>();
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace twinrun::harness
