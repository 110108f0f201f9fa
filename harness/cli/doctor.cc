#include "harness/cli/doctor.h"

#include <unistd.h>

#include <iostream>
#include <utility>

#include "harness/cli/doctor_checks.h"
#include "harness/cli/doctor_report.h"
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
  spec.purpose =
      "What on this machine, or in this case, would break a run: what its numerics mode sets "
      "(without\n"
      "a case: deterministic), what would break it, what it cannot promise here. Changes nothing.";
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

DoctorReport examine(const ParsedCommand& parsed) {
  DoctorReport report;
  std::vector<DoctorCheck>& checks = report.checks;
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
  TrainerReport answer = check_trainer(trainer, resolved);
  add(answer.checks);
  report.numerics = std::move(answer.numerics);
  return report;
}

}  // namespace

int doctor_command(const std::vector<std::string>& args) {
  const std::optional<ParsedCommand> parsed = parse_command(doctor_spec(), args);
  if (!parsed) return static_cast<int>(ExitCode::kReproduced);
  if (parsed->has("set") && parsed->operands.empty()) {
    throw UsageError("doctor: --set changes a case, but no CASE.yaml was given");
  }
  const DoctorReport report = examine(*parsed);
  std::cout << (parsed->has("json") ? doctor_json(report)
                                    : doctor_text(report, use_color(STDOUT_FILENO)));
  switch (overall_state(report)) {
    case State::kProblem:
      return static_cast<int>(ExitCode::kUsage);
    case State::kFailed:
      return static_cast<int>(ExitCode::kNoVerdict);
    default:
      return static_cast<int>(ExitCode::kReproduced);
  }
}

}  // namespace twinrun::harness
