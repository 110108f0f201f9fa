#include "harness/cli/baseline_target.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "harness/baseline/curve.h"
#include "harness/baseline/curve_store.h"
#include "harness/cli/find_case.h"
#include "harness/cli/workspace.h"
#include "harness/config/case.h"
#include "harness/exit_code.h"
#include "harness/protocol/append_file.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;

BaselineTarget of_case(const fs::path& file) {
  return {file.parent_path() / "curves", file, std::nullopt};
}

/// Output of a command of ours, without its last line feed; empty if it fails.
std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "re"), pclose);
  if (!pipe) return "";
  std::string text;
  std::array<char, 256> part{};
  while (std::fgets(part.data(), part.size(), pipe.get()) != nullptr) text += part.data();
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

BaselineTarget baseline_target(const std::vector<std::string>& operands) {
  if (operands.empty()) return of_case(find_case("; or name the folder of the curves"));
  const fs::path path = operands.front();
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return {path, std::nullopt, std::nullopt};
  const std::string extension = path.extension().string();
  if (extension == ".yaml" || extension == ".yml") {
    if (fs::is_regular_file(path, ignored)) return of_case(path);
    throw UsageError("'" + path.string() + "' is not there or no file; name a case");
  }
  if (extension == ".jsonl" || extension == ".json") {
    if (is_pending(path)) {
      return {protocol::folder_of(path), std::nullopt, fs::path(path).replace_extension(".jsonl")};
    }
    throw UsageError("'" + path.string() + "' is no pending curve: those end in .pending.jsonl");
  }
  throw UsageError("'" + path.string() +
                   "' is no case, no folder and no pending curve (FINGERPRINT.pending.jsonl)");
}

std::vector<fs::path> pending_in(const fs::path& folder) {
  std::vector<fs::path> list = curves_in(folder);
  std::erase_if(list, [](const fs::path& file) { return !is_pending(file); });
  return list;
}

fs::path the_pending(const BaselineTarget& target) {
  if (target.pending) return *target.pending;
  const std::vector<fs::path> list = pending_in(target.folder);
  if (list.size() == 1) return list.front();
  if (list.empty()) {
    throw UsageError("nothing is pending in '" + target.folder.string() +
                     "'; `twinrun verify --baseline` writes a pending curve where it finds none, "
                     "or another one");
  }
  std::vector<std::string> names;
  for (const fs::path& file : list) names.push_back(file.string());
  throw UsageError(count_of(static_cast<long long>(names.size()), "curve") +
                   " are pending, name one: " + list_words(names));
}

std::optional<std::string> identity_of(const BaselineTarget& target) {
  if (!target.case_file) return std::nullopt;
  const CaseOptions options{.overrides = {}, .default_trainer = find_trainer("")};
  return protocol::to_hex(resolve_case(*target.case_file, options).config.identity_digest());
}

std::string git_user(const fs::path& folder) {
  const std::string git = "git -C " + shell_quote(folder.string()) + " config user.";
  const std::string name = output_of(git + "name 2>/dev/null");
  const std::string address = output_of(git + "email 2>/dev/null");
  if (name.empty() || address.empty()) return name + address;
  return name + " <" + address + ">";
}

bool in_pipeline() {
  const char* set = std::getenv("CI");
  std::string value = set == nullptr ? "" : set;
  std::transform(value.begin(), value.end(), value.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return !value.empty() && value != "0" && value != "false";
}

}  // namespace twinrun::harness
