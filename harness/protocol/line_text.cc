#include "harness/protocol/line_text.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "harness/protocol/canonical_json.h"

namespace twinrun::protocol {
namespace {

template <typename Bits>
void append_hex(std::string& out, Bits bits) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (int shift = 8 * static_cast<int>(sizeof bits) - 4; shift >= 0; shift -= 4) {
    out += kDigits[(bits >> shift) & 15];
  }
}

// std::to_chars rather than printf: a locale set by a library must not turn the point to a comma.
template <typename Float>
void append_value(std::string& out, Float value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char buffer[40];
  const int digits = sizeof value == 4 ? 9 : 17;
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, digits);
  out.append(buffer, end.ptr);
}

template <typename Float>
void append_both(std::string& out, Float value) {
  out += "{\"bits\":\"";
  append_bits(out, value);
  out += "\",\"value\":";
  append_value(out, value);
  out += '}';
}

}  // namespace

void append_bits(std::string& out, float value) {
  append_hex(out, std::bit_cast<std::uint32_t>(value));
}

void append_bits(std::string& out, double value) {
  append_hex(out, std::bit_cast<std::uint64_t>(value));
}

void append_number(std::string& out, float value) { append_both(out, value); }

void append_number(std::string& out, double value) { append_both(out, value); }

std::string bits_text(float value) {
  std::string text;
  append_bits(text, value);
  return text;
}

std::string bits_text(double value) {
  std::string text;
  append_bits(text, value);
  return text;
}

bool same_bits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

std::string to_string(Promise promise) { return promise == Promise::kBitwise ? "bitwise" : "none"; }

void append_sample_id(std::string& out, const SampleId& id) {
  if (const auto* number = std::get_if<std::int64_t>(&id)) {
    out += std::to_string(*number);
  } else {
    append_json_string(out, std::get<std::string>(id));
  }
}

void append_key(std::string& out, const char* key) { out.append(",\"").append(key).append("\":"); }

void append_text(std::string& out, const char* key, const std::string& text) {
  append_key(out, key);
  append_json_string(out, text);
}

void append_text(std::string& out, const char* key, const std::optional<std::string>& text) {
  append_key(out, key);
  if (text) {
    append_json_string(out, *text);
  } else {
    out += "null";
  }
}

}  // namespace twinrun::protocol
