#include "harness/protocol/canonical_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace twinrun::protocol {
namespace {

using nlohmann::json;

constexpr std::int64_t kIntegerMax = (std::int64_t{1} << 53) - 1;
// Deeper than any file of ours; keeps the recursion off the end of the stack.
constexpr int kDepthMax = 200;

// The code point that starts at `text[i]`, moving `i` past it.
char32_t next_code_point(std::string_view text, std::size_t& i) {
  const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
  const unsigned char first = byte(i);
  if (first < 0x80) return text[i++];
  const int length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  static constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  char32_t point = first & (0xff >> (length + 1));
  bool valid = first >= 0xc2 && first <= 0xf4 && i + length <= text.size();
  for (int k = 1; valid && k < length; ++k) {
    valid = (byte(i + k) & 0xc0) == 0x80;
    point = (point << 6) | (byte(i + k) & 0x3f);
  }
  valid = valid && point >= kSmallest[length] && point <= 0x10ffff &&
          !(point >= 0xd800 && point <= 0xdfff);
  if (!valid) throw std::invalid_argument("a string is not UTF-8");
  i += length;
  return point;
}

std::u16string utf16(std::string_view text) {
  std::u16string units;
  for (std::size_t i = 0; i < text.size();) {
    const char32_t point = next_code_point(text, i);
    if (point < 0x10000) {
      units += static_cast<char16_t>(point);
    } else {
      units += static_cast<char16_t>(0xd800 + ((point - 0x10000) >> 10));
      units += static_cast<char16_t>(0xdc00 + ((point - 0x10000) & 0x3ff));
    }
  }
  return units;
}

// Number::toString of ECMA-262: the shortest digits that read back, laid out by the exponent.
void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) throw std::invalid_argument("a number is not finite");
  if (value == 0) {
    out += '0';
    return;
  }
  if (value < 0) out += '-';
  char buffer[32];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, std::abs(value), std::chars_format::scientific);
  const std::string_view text(buffer, end.ptr - buffer);
  const std::size_t e = text.find('e');
  std::string digits(1, text[0]);
  if (e > 2) digits += text.substr(2, e - 2);
  int exponent = 0;
  const char* exponent_text = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(exponent_text, text.data() + text.size(), exponent);
  const int point = exponent + 1;  // place of the decimal point within `digits`
  const int count = static_cast<int>(digits.size());
  if (point >= count && point <= 21) {
    out += digits + std::string(point - count, '0');
  } else if (point > 0 && point <= 21) {
    out += digits.substr(0, point) + '.' + digits.substr(point);
  } else if (point > -6 && point <= 0) {
    out += "0." + std::string(-point, '0') + digits;
  } else {
    out += digits[0];
    if (count > 1) out += '.' + digits.substr(1);
    out += exponent < 0 ? "e-" : "e+";
    out += std::to_string(std::abs(exponent));
  }
}

void append_integer(std::string& out, std::int64_t value) {
  if (value < -kIntegerMax || value > kIntegerMax) {
    throw std::invalid_argument("integer beyond +-(2^53-1): " + std::to_string(value));
  }
  out += std::to_string(value);
}

void append(std::string& out, const json& value, int depth);

void append_object(std::string& out, const json& object, int depth) {
  std::vector<std::pair<std::u16string, const std::string*>> keys;
  for (const auto& item : object.items()) keys.emplace_back(utf16(item.key()), &item.key());
  std::sort(keys.begin(), keys.end());
  out += '{';
  for (const auto& [units, key] : keys) {
    if (out.back() != '{') out += ',';
    append_json_string(out, *key);
    out += ':';
    append(out, object.at(*key), depth + 1);
  }
  out += '}';
}

void append(std::string& out, const json& value, int depth) {
  if (depth > kDepthMax) throw std::invalid_argument("nested too deeply");
  switch (value.type()) {
    case json::value_t::null:
      out += "null";
      return;
    case json::value_t::boolean:
      out += value.get<bool>() ? "true" : "false";
      return;
    case json::value_t::string:
      append_json_string(out, value.get_ref<const std::string&>());
      return;
    case json::value_t::number_integer:
      append_integer(out, value.get<std::int64_t>());
      return;
    case json::value_t::number_unsigned:
      append_integer(out, static_cast<std::int64_t>(std::min<std::uint64_t>(
                              value.get<std::uint64_t>(), kIntegerMax + 1)));
      return;
    case json::value_t::number_float:
      append_number(out, value.get<double>());
      return;
    case json::value_t::array:
      out += '[';
      for (const json& element : value) {
        if (&element != &value.front()) out += ',';
        append(out, element, depth + 1);
      }
      out += ']';
      return;
    case json::value_t::object:
      append_object(out, value, depth);
      return;
    default:
      throw std::invalid_argument("a value that JSON cannot hold");
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t begin = i;
    const char32_t point = next_code_point(text, i);
    switch (point) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        if (point < 0x20) {
          out += "\\u00";
          out += kDigits[point >> 4];
          out += kDigits[point & 15];
        } else {
          out += text.substr(begin, i - begin);
        }
    }
  }
  out += '"';
}

std::string canonical_json(const json& value) {
  std::string out;
  append(out, value, 0);
  return out;
}

Digest canonical_digest(const json& value) { return sha256(canonical_json(value)); }

}  // namespace twinrun::protocol
