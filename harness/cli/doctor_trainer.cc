#include <utility>

#include "harness/cli/ask_trainer.h"
#include "harness/cli/doctor_checks.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using State = DoctorCheck::State;

std::optional<State> state_from(const json& value) {
  for (const State state : {State::kOk, State::kWarning, State::kProblem}) {
    if (value == to_string(state)) return state;
  }
  return std::nullopt;
}

/// Raised inside parse_report alone.
struct Unusable {};

const json& need(const json& object, const char* key, json::value_t type) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (found == object.end() || found->type() != type) throw Unusable{};
  return *found;
}

std::string need_text(const json& object, const char* key) {
  return need(object, key, json::value_t::string).get<std::string>();
}

std::vector<DoctorCheck> parse_checks(const json& object, const char* key) {
  std::vector<DoctorCheck> checks;
  for (const json& entry : need(object, key, json::value_t::array)) {
    const std::string name = need_text(entry, "name");
    const std::optional<State> state = state_from(need(entry, "state", json::value_t::string));
    if (!state) throw Unusable{};
    checks.push_back({name, *state, need_text(entry, "message")});
  }
  return checks;
}

NumericsReport parse_numerics(const json& object) {
  NumericsReport report;
  report.mode = need_text(object, "mode");
  report.device = need_text(object, "device");
  for (const json& entry : need(object, "set", json::value_t::array)) {
    const std::string name = need_text(entry, "name");
    if (!entry.contains("value") || entry.at("value").is_structured()) throw Unusable{};
    report.set.push_back({name, entry.at("value"), need_text(entry, "reason")});
  }
  report.breaks = parse_checks(object, "breaks");
  for (const json& item : need(object, "not_promised", json::value_t::array)) {
    if (!item.is_string()) throw Unusable{};
    report.not_promised.push_back(item.get<std::string>());
  }
  return report;
}

/// `{"checks":[{"name","state","message"}],"numerics":{...}}`, the latter null or absent where
/// there is nothing to say; nullopt if it is anything else.
std::optional<TrainerReport> parse_report(const std::optional<json>& said) {
  if (!said) return std::nullopt;
  try {
    TrainerReport report{.checks = parse_checks(*said, "checks"), .numerics = {}};
    const json numerics = said->value("numerics", json());
    if (!numerics.is_null()) report.numerics = parse_numerics(numerics);
    return report;
  } catch (const Unusable&) {
    return std::nullopt;
  }
}

TrainerReport only(DoctorCheck check) { return {.checks = {std::move(check)}, .numerics = {}}; }

TrainerReport ask(const std::vector<std::string>& command,
                  const std::optional<ResolvedCase>& resolved) {
  const auto [launch, said] = ask_trainer(command, resolved);
  if (launch.outcome == LaunchResult::Outcome::kNotStarted) {
    return only({"trainer", State::kProblem, launch.stderr_tail});
  }
  if (std::optional<TrainerReport> report = parse_report(said)) {
    report->checks.insert(report->checks.begin(), {"trainer", State::kOk, command.front()});
    return *report;
  }
  return only({"trainer", State::kFailed,
               command.front() + " doctor " + how_it_ended(launch) +
                   " and reported nothing usable" +
                   (launch.stderr_tail.empty() ? "" : ":\n" + launch.stderr_tail)});
}

}  // namespace

TrainerReport check_trainer(const fs::path& default_trainer,
                            const std::optional<ResolvedCase>& resolved) {
  if (resolved && resolved->foreign_trainer) {
    const std::string& program = resolved->command.front();
    return only({"trainer", State::kOk, program + " (the case's own; it is not asked)"});
  }
  if (default_trainer.empty()) {
    return only(
        {"trainer", State::kProblem,
         "no twinrun-train beside twinrun or in PATH; build it (preset release), or name one "
         "with --trainer"});
  }
  try {
    return ask({default_trainer.string()}, resolved);
  } catch (const std::exception& error) {  // no temporary folder, no processes left
    return only({"trainer", State::kFailed, error.what()});
  }
}

}  // namespace twinrun::harness
