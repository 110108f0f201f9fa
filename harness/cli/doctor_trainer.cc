#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

#include "harness/cli/doctor_checks.h"
#include "harness/launch/launch.h"
#include "harness/protocol/strict_json.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using State = DoctorCheck::State;

/// A folder that is gone at the end of its scope.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "twinrun-doctor-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      throw std::runtime_error(pattern + ": cannot be made: check TMPDIR");
    }
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::optional<State> state_from(const json& value) {
  for (const State state : {State::kOk, State::kWarning, State::kProblem}) {
    if (value == to_string(state)) return state;
  }
  return std::nullopt;
}

/// `{"checks":[{"name","state","message"}]}`; nullopt if it is anything else.
std::optional<std::vector<DoctorCheck>> parse_report(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  std::string problem;
  const std::optional<json> report = protocol::parse_strict_json(text, problem);
  if (!report || !report->is_object() || !report->contains("checks")) return std::nullopt;
  const json& list = report->at("checks");
  if (!list.is_array()) return std::nullopt;
  std::vector<DoctorCheck> checks;
  for (const json& entry : list) {
    if (!entry.is_object()) return std::nullopt;
    const json name = entry.value("name", json());
    const json message = entry.value("message", json());
    const std::optional<State> state = state_from(entry.value("state", json()));
    if (!name.is_string() || !message.is_string() || !state) return std::nullopt;
    checks.push_back({name.get<std::string>(), *state, message.get<std::string>()});
  }
  return checks;
}

std::string how_it_ended(const LaunchResult& result) {
  using Outcome = LaunchResult::Outcome;
  switch (result.outcome) {
    case Outcome::kExited:
      return "ended with exit code " + std::to_string(result.exit_code);
    case Outcome::kSignaled:
      return "was ended by signal " + std::to_string(result.signal);
    case Outcome::kTimedOut:
      return "did not answer in time";
    case Outcome::kInterrupted:
      return "was interrupted";
    case Outcome::kNotStarted:
      break;
  }
  return "could not be started";
}

std::vector<DoctorCheck> ask(const std::vector<std::string>& command,
                             const std::optional<ResolvedCase>& resolved) {
  constexpr double kAnswer_s = 120;  // the first use of a GPU may take a minute
  const TemporaryFolder folder;
  LaunchOptions options;
  options.command = command;
  options.command.push_back("doctor");
  if (resolved) {
    const fs::path config = folder.path() / "config.json";
    std::ofstream(config, std::ios::binary) << resolved->config.to_text();
    options.command.push_back(config.string());
  }
  options.command.push_back("--json");
  options.run_dir = folder.path();
  options.step_timeout_s = kAnswer_s;
  const LaunchResult result = launch_trainer(options);
  if (result.outcome == LaunchResult::Outcome::kNotStarted) {
    return {{"trainer", State::kProblem, result.stderr_tail}};
  }
  const auto report = parse_report(folder.path() / "stdout.log");
  if (result.outcome == LaunchResult::Outcome::kExited && report) {
    std::vector<DoctorCheck> checks{{"trainer", State::kOk, command.front()}};
    checks.insert(checks.end(), report->begin(), report->end());
    return checks;
  }
  return {{"trainer", State::kFailed,
           command.front() + " doctor " + how_it_ended(result) + " and reported nothing usable" +
               (result.stderr_tail.empty() ? "" : ":\n" + result.stderr_tail)}};
}

}  // namespace

std::vector<DoctorCheck> check_trainer(const fs::path& default_trainer,
                                       const std::optional<ResolvedCase>& resolved) {
  if (resolved && resolved->foreign_trainer) {
    const std::string& program = resolved->command.front();
    return {{"trainer", State::kOk, program + " (the case's own; it is not asked)"}};
  }
  if (default_trainer.empty()) {
    return {{"trainer", State::kProblem,
             "no twinrun-train beside twinrun or in PATH; build it (preset release), or name one "
             "with --trainer"}};
  }
  try {
    return ask({default_trainer.string()}, resolved);
  } catch (const std::exception& error) {  // no temporary folder, no processes left
    return {{"trainer", State::kFailed, error.what()}};
  }
}

}  // namespace twinrun::harness
