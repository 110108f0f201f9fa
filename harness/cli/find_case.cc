#include "harness/cli/find_case.h"

#include <algorithm>
#include <vector>

#include "harness/exit_code.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNamedMax = 8;

std::vector<std::string> cases_in_baselines() {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("baselines", error)) {
    const fs::path file = entry.path() / "case.yaml";
    if (fs::is_regular_file(file, error)) found.push_back(file.string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

fs::path find_case(const std::string& hint) {
  std::error_code ignored;
  if (fs::is_regular_file("twinrun.yaml", ignored)) return "twinrun.yaml";
  std::vector<std::string> found = cases_in_baselines();
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    throw UsageError(
        "CASE.yaml is missing, and here is neither twinrun.yaml nor baselines/*/case.yaml" + hint);
  }
  const std::string count = std::to_string(found.size());
  if (found.size() > kNamedMax) {
    found.resize(kNamedMax);
    found.push_back("more");
  }
  throw UsageError("CASE.yaml is missing, and here are " + count + ": " + list_words(found) +
                   "; name one" + hint);
}

}  // namespace twinrun::harness
