#include "harness/cli/acceptance.h"

#include "harness/cli/baseline_target.h"
#include "harness/cli/workspace.h"
#include "harness/exit_code.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

std::string said(const ParsedCommand& parsed, const std::string& flag) {
  std::string text = one_line(parsed.text(flag));
  text.erase(0, text.find_first_not_of(' '));
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

}  // namespace

void require_person(const std::string& doing) {
  if (!in_pipeline()) return;
  throw UsageError("CI is set, and a pipeline does not " + doing +
                   ": a person does, on their own machine, and commits it for review");
}

Acceptance read_acceptance(const ParsedCommand& parsed, const std::filesystem::path& folder,
                           const std::string& what) {
  Acceptance acceptance{said(parsed, "who"), stamp_now(), said(parsed, "why")};
  if (acceptance.why.empty()) {
    throw UsageError("--why is missing: say why this " + what + " is right");
  }
  if (parsed.has("who") && acceptance.who.empty()) throw UsageError("--who: the name is empty");
  if (acceptance.who.empty()) {
    acceptance.who = one_line(git_user(folder.empty() ? std::filesystem::path(".") : folder));
  }
  if (acceptance.who.empty()) {
    throw UsageError("who accepts it? git has no user.name here; say --who NAME");
  }
  return acceptance;
}

}  // namespace twinrun::harness
