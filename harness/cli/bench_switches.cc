#include "harness/cli/bench_switches.h"

#include <fstream>
#include <iterator>
#include <optional>

#include "harness/exit_code.h"
#include "harness/launch/launch.h"
#include "harness/launch/temporary_folder.h"
#include "harness/protocol/strict_json.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::vector<std::string> parse_names(const fs::path& answer) {
  std::ifstream stream(answer, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  std::string problem;
  const std::optional<json> parsed = protocol::parse_strict_json(text, problem);
  std::vector<std::string> names;
  if (!parsed || !parsed->is_object() || !parsed->contains("bench_switches")) return names;
  const json& list = parsed->at("bench_switches");
  if (!list.is_array()) return names;
  for (const json& entry : list) {
    if (!entry.is_object() || !entry.contains("name") || !entry.at("name").is_string()) return {};
    names.push_back(entry.at("name").get<std::string>());
  }
  return names;
}

}  // namespace

std::vector<std::string> bench_switches(const ResolvedCase& resolved) {
  constexpr double kAnswer_s = 120;  // the first use of a GPU may take a minute
  const TemporaryFolder folder;
  const fs::path config = folder.path() / "config.json";
  std::ofstream(config, std::ios::binary) << resolved.config.to_text();
  LaunchOptions options;
  options.command = resolved.command;
  options.command.insert(options.command.end(), {"doctor", config.string(), "--json"});
  options.run_dir = folder.path();
  options.step_timeout_s = kAnswer_s;
  const LaunchResult result = launch_trainer(options);
  std::vector<std::string> names;
  if (result.outcome == LaunchResult::Outcome::kExited) {
    names = parse_names(folder.path() / "stdout.log");
  }
  if (!names.empty()) return names;
  throw UsageError("--attribute: `" + one_line(resolved.command.front()) +
                   " doctor --json` lists no bench_switches, so there is nothing to attribute to; "
                   "leave --attribute out" +
                   (result.stderr_tail.empty() ? "" : ":\n" + result.stderr_tail));
}

}  // namespace twinrun::harness
