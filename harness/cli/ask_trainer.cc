#include "harness/cli/ask_trainer.h"

#include <fstream>

#include "harness/launch/temporary_folder.h"
#include "harness/protocol/append_file.h"
#include "harness/protocol/strict_json.h"

namespace twinrun::harness {

TrainerAnswer ask_trainer(const std::vector<std::string>& command,
                          const std::optional<ResolvedCase>& resolved) {
  constexpr double kAnswer_s = 120;  // the first use of a GPU may take a minute
  const TemporaryFolder folder;
  LaunchOptions options;
  options.command = command;
  options.command.push_back("doctor");
  if (resolved) {
    const std::filesystem::path config = folder.path() / "config.json";
    std::ofstream(config, std::ios::binary) << resolved->config.to_text();
    options.command.push_back(config.string());
  }
  options.command.push_back("--json");
  options.run_dir = folder.path();
  options.step_timeout_s = kAnswer_s;
  TrainerAnswer answer{launch_trainer(options), std::nullopt};
  if (answer.launch.outcome != LaunchResult::Outcome::kExited) return answer;
  std::string problem;
  answer.said =
      protocol::parse_strict_json(protocol::read_file(folder.path() / "stdout.log"), problem);
  return answer;
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

}  // namespace twinrun::harness
