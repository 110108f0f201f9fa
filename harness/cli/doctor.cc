#include "harness/cli/doctor.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "harness/cli/doctor_checks.h"
#include "harness/cli/options.h"
#include "harness/cli/workspace.h"
#include "harness/exit_code.h"
#include "harness/report/progress.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace po = boost::program_options;
using State = DoctorCheck::State;

CommandSpec doctor_spec() {
  CommandSpec spec;
  spec.name = "doctor";
  spec.operands = "[CASE.yaml]";
  spec.operands_min = 0;
  spec.purpose = "What on this machine, or in this case, would break a run. Changes nothing.";
  spec.flags.add_options()  //
      ("set", po::value<std::vector<std::string>>()->value_name("KEY=VALUE"),
       "change the case: --set device=cuda; may be repeated")  //
      ("trainer", po::value<std::string>()->value_name("PROGRAM"),
       "twinrun-train to ask (default: beside twinrun, then PATH)")  //
      ("out", po::value<std::string>()->value_name("DIR"),
       "where runs would go (default: twinrun-out)")  //
      ("json", "print the checks as JSON instead of a table");
  spec.notes =
      "exit code: 0 ready (warnings included), 2 a problem that you can fix, 3 a check could not "
      "be\n"
      "carried out";
  spec.example = "  twinrun doctor baselines/smollm2-chat/case.yaml --set device=cuda";
  return spec;
}

DoctorCheck describe(const ResolvedCase& resolved) {
  const nlohmann::json& identity = resolved.config.identity;
  return {"case", State::kOk,
          resolved.name + ": " + identity.at("numerics").get<std::string>() + ", " +
              count_of(identity.at("train").at("steps").get<std::int64_t>(), "step") + ", " +
              count_of(resolved.runs, "run") + ", identity " +
              protocol::to_hex(resolved.config.identity_digest()).substr(0, 16)};
}

std::vector<DoctorCheck> examine(const ParsedCommand& parsed) {
  std::vector<DoctorCheck> checks;
  std::optional<ResolvedCase> resolved;
  const std::filesystem::path trainer = find_trainer(parsed.text("trainer"));
  if (!parsed.operands.empty()) {
    try {
      resolved = resolve_case(parsed.operands.front(),
                              {.overrides = parsed.list("set"), .default_trainer = trainer});
      checks.push_back(describe(*resolved));
    } catch (const UsageError& error) {
      checks.push_back({"case", State::kProblem, error.what()});
    }
  }
  const auto add = [&](const std::vector<DoctorCheck>& more) {
    checks.insert(checks.end(), more.begin(), more.end());
  };
  add({check_cpu(resolved), check_memory(resolved)});
  add({check_disk(parsed.has("out") ? parsed.text("out") : "twinrun-out")});
  const Environment environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  add(check_environment(environment, resolved));
  add(check_trainer(trainer, resolved));
  return checks;
}

/// The worst: what the caller can fix counts more than what could not be looked at.
State overall_state(const std::vector<DoctorCheck>& checks) {
  State worst = State::kOk;
  for (const State state : {State::kWarning, State::kFailed, State::kProblem}) {
    const bool present = std::any_of(checks.begin(), checks.end(),
                                     [&](const DoctorCheck& c) { return c.state == state; });
    if (present) worst = state;
  }
  return worst;
}

std::string paint(State state, bool color) {
  const std::string word = to_string(state) + std::string(9 - to_string(state).size(), ' ');
  if (!color) return word;
  const char* code = state == State::kOk ? "32" : state == State::kWarning ? "33" : "31";
  return std::string("\x1b[") + code + "m" + word + "\x1b[0m";
}

std::string table(const std::vector<DoctorCheck>& checks, bool color) {
  std::size_t width = 0;
  for (const DoctorCheck& check : checks) width = std::max(width, columns(one_line(check.name)));
  std::string text;
  for (const DoctorCheck& check : checks) {
    const std::string name = one_line(check.name);
    text += paint(check.state, color) + name + std::string(width - columns(name) + 2, ' ') +
            one_line(check.message) + "\n";
  }
  const auto count = [&](State state) {
    return std::count_if(checks.begin(), checks.end(),
                         [&](const DoctorCheck& check) { return check.state == state; });
  };
  const State worst = overall_state(checks);
  if (worst == State::kOk) return text + "ready\n";
  if (worst == State::kWarning) {
    return text + "ready, with " + count_of(count(State::kWarning), "warning") + "\n";
  }
  if (worst == State::kProblem) {
    return text + "not ready: " + count_of(count(State::kProblem), "problem") + " to fix\n";
  }
  return text + count_of(count(State::kFailed), "check") + " could not be carried out\n";
}

std::string json_report(const std::vector<DoctorCheck>& checks) {
  nlohmann::json list = nlohmann::json::array();
  for (const DoctorCheck& check : checks) {
    list.push_back(
        {{"name", check.name}, {"state", to_string(check.state)}, {"message", check.message}});
  }
  const nlohmann::json report = {
      {"schema", 1}, {"state", to_string(overall_state(checks))}, {"checks", list}};
  return report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

int doctor_command(const std::vector<std::string>& args) {
  const std::optional<ParsedCommand> parsed = parse_command(doctor_spec(), args);
  if (!parsed) return static_cast<int>(ExitCode::kReproduced);
  if (parsed->has("set") && parsed->operands.empty()) {
    throw UsageError("twinrun doctor: --set changes a case, but no CASE.yaml was given");
  }
  const std::vector<DoctorCheck> checks = examine(*parsed);
  std::cout << (parsed->has("json") ? json_report(checks)
                                    : table(checks, use_color(STDOUT_FILENO)));
  switch (overall_state(checks)) {
    case State::kProblem:
      return static_cast<int>(ExitCode::kUsage);
    case State::kFailed:
      return static_cast<int>(ExitCode::kNoVerdict);
    default:
      return static_cast<int>(ExitCode::kReproduced);
  }
}

}  // namespace twinrun::harness
