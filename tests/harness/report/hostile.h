#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace twinrun::test {

/// What a trainer or a case may have written to break out of a report: markup of every format, line
/// ends, workflow commands, terminal escapes, characters that turn the direction of text.
inline std::string hostile_text() {
  return "a,file=b:c </title></td><script>alert(1)</script><img src=x onerror=alert(2)>\n"
         "::error file=x::planted\r\n::set-output name=a::b\x1b[2J\x1b]0;t\x07\n"
         "# head\n| a | b |\n```\n- @everyone see #1 https://evil.example ]]> & \"'\n"
         "\xe2\x80\xae"
         "reversed\xe2\x81\xa9 \xef\xbf\xbf --> $(id) `id` %0A";
}

/// `value` with every string made hostile but for those that the schema fixes, and keys.
inline nlohmann::json made_hostile(const nlohmann::json& value, const std::string& key = "") {
  if (value.is_string()) {
    static const std::set<std::string> fixed = {
        "verdict", "dir",  "fingerprint", "sha256", "head", "digest", "calibration_sha256",
        "channel", "part", "outcome"};
    return fixed.count(key) > 0 ? value : nlohmann::json(hostile_text());
  }
  if (!value.is_structured()) return value;
  nlohmann::json result = value;
  for (auto item = result.begin(); item != result.end(); ++item) {
    *item = made_hostile(*item, value.is_object() ? item.key() : key);
  }
  return result;
}

}  // namespace twinrun::test
