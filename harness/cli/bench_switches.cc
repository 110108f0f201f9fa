#include "harness/cli/bench_switches.h"

#include "harness/cli/ask_trainer.h"
#include "harness/exit_code.h"
#include "harness/report/json_fields.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

/// Empty where it is not a list of objects with a name each.
std::vector<std::string> names_of(const json& said) {
  std::vector<std::string> names;
  for (const json& entry : list_at(said, "/bench_switches")) {
    if (!at(entry, "/name").is_string()) return {};
    names.push_back(text_at(entry, "/name"));
  }
  return names;
}

}  // namespace

std::vector<std::string> bench_switches(const ResolvedCase& resolved) {
  const auto [launch, said] = ask_trainer(resolved.command, resolved);
  const std::vector<std::string> names = said ? names_of(*said) : std::vector<std::string>{};
  if (!names.empty()) return names;
  const std::string asked =
      "--attribute: `" + one_line(resolved.command.front()) + " doctor --json` ";
  if (launch.outcome == LaunchResult::Outcome::kInterrupted) {
    throw NoVerdictError(asked + how_it_ended(launch));
  }
  throw UsageError(asked +
                   "lists no bench_switches, so there is nothing to attribute to; "
                   "leave --attribute out" +
                   (launch.stderr_tail.empty() ? "" : ":\n" + launch.stderr_tail));
}

}  // namespace twinrun::harness
