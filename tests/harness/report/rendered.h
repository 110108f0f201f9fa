#pragma once

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "harness/report/evidence.h"
#include "harness/report/verdict_file.h"
#include "harness/report/verdict_json.h"

namespace twinrun::test {

/// What `write(verdict, evidence)` makes of a verdict that lies nowhere, so that no run lies there.
template <typename Write>
auto rendered(const nlohmann::json& value, const Write& write) {
  const harness::VerdictFile verdict =
      harness::parse_verdict("/nonexistent/verdict.json", harness::json_text(value));
  return write(verdict, harness::read_evidence(verdict));
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace twinrun::test
