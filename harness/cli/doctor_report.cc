#include "harness/cli/doctor_report.h"

#include <algorithm>
#include <sstream>

#include "harness/report/terminal.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using State = DoctorCheck::State;

constexpr std::size_t kStateColumns = 9;

std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(std::max(columns(text), width) - columns(text), ' ');
}

/// `text` in lines, of which all but the first start with `indent` spaces.
std::string wrapped(const std::string& text, std::size_t indent) {
  const std::string line = one_line(text);
  const std::size_t width = kTerminalColumns - indent;
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    if (columns(word) > width) return line + "\n";
  }
  std::string block;
  for (const std::string& part : wrap(line, width)) {
    block += (block.empty() ? "" : std::string(indent, ' ')) + part + "\n";
  }
  return block.empty() ? "\n" : block;
}

std::string paint(State state, bool color) {
  const std::string word = padded(to_string(state), kStateColumns);
  if (!color) return word;
  const char* code = state == State::kOk ? "32" : state == State::kWarning ? "33" : "31";
  return std::string("\x1b[") + code + "m" + word + "\x1b[0m";
}

/// A row a check, each line after `margin` spaces.
std::string check_rows(const std::vector<DoctorCheck>& checks, bool color, std::size_t margin) {
  std::size_t width = 0;
  for (const DoctorCheck& check : checks) width = std::max(width, columns(one_line(check.name)));
  std::string text;
  for (const DoctorCheck& check : checks) {
    text += std::string(margin, ' ') + paint(check.state, color) +
            padded(one_line(check.name), width + 2) +
            wrapped(check.message, margin + kStateColumns + width + 2);
  }
  return text;
}

std::string shown(const json& value) {
  return one_line(value.is_string() ? value.get<std::string>() : value.dump());
}

std::string switch_rows(const std::vector<NumericsReport::Switch>& switches) {
  std::size_t name_width = 0, value_width = 0;
  for (const auto& one : switches) {
    name_width = std::max(name_width, columns(one_line(one.name)));
    value_width = std::max(value_width, columns(shown(one.value)));
  }
  std::string text;
  for (const auto& one : switches) {
    text += "  " + padded(one_line(one.name), name_width + 2) +
            padded(shown(one.value), value_width + 2) +
            wrapped(one.reason, 2 + name_width + 2 + value_width + 2);
  }
  return text;
}

std::string numerics_text(const NumericsReport& numerics, bool color) {
  const std::string mode = one_line(numerics.mode);
  std::string text = "\nWhat `" + mode + "` sets on " + one_line(numerics.device) +
                     ", each value as its library reports it afterwards:\n";
  text += numerics.set.empty() ? "  nothing\n" : switch_rows(numerics.set);
  text += "\nWhat would break its promise, of what is set or found here:\n";
  text += numerics.breaks.empty() ? "  nothing\n" : check_rows(numerics.breaks, color, 2);
  text += "\nWhat `" + mode + "` cannot promise here:\n";
  for (const std::string& item : numerics.not_promised) text += "  - " + wrapped(item, 4);
  return text;
}

std::vector<State> all_states(const DoctorReport& report) {
  std::vector<State> states;
  for (const DoctorCheck& check : report.checks) states.push_back(check.state);
  if (report.numerics) {
    for (const DoctorCheck& check : report.numerics->breaks) states.push_back(check.state);
  }
  return states;
}

std::string conclusion(const DoctorReport& report) {
  const std::vector<State> states = all_states(report);
  const auto count = [&](State state) { return std::count(states.begin(), states.end(), state); };
  switch (overall_state(report)) {
    case State::kOk:
      return "ready\n";
    case State::kWarning:
      return "ready, with " + count_of(count(State::kWarning), "warning") + "\n";
    case State::kProblem:
      return "not ready: " + count_of(count(State::kProblem), "problem") + " to fix\n";
    case State::kFailed:
      break;
  }
  return count_of(count(State::kFailed), "check") + " could not be carried out\n";
}

json to_json(const std::vector<DoctorCheck>& checks) {
  json list = json::array();
  for (const DoctorCheck& check : checks) {
    list.push_back(
        {{"name", check.name}, {"state", to_string(check.state)}, {"message", check.message}});
  }
  return list;
}

json to_json(const NumericsReport& numerics) {
  json set = json::array();
  for (const auto& one : numerics.set) {
    set.push_back({{"name", one.name}, {"value", one.value}, {"reason", one.reason}});
  }
  return {{"mode", numerics.mode},
          {"device", numerics.device},
          {"set", set},
          {"breaks", to_json(numerics.breaks)},
          {"not_promised", numerics.not_promised}};
}

}  // namespace

State overall_state(const DoctorReport& report) {
  const std::vector<State> states = all_states(report);
  State worst = State::kOk;
  for (const State state : {State::kWarning, State::kFailed, State::kProblem}) {
    if (std::count(states.begin(), states.end(), state) > 0) worst = state;
  }
  return worst;
}

std::string doctor_text(const DoctorReport& report, bool color) {
  std::string text = check_rows(report.checks, color, 0);
  if (report.numerics) text += numerics_text(*report.numerics, color) + "\n";
  return text + conclusion(report);
}

std::string doctor_json(const DoctorReport& report) {
  const json object = {{"schema", 1},
                       {"state", to_string(overall_state(report))},
                       {"checks", to_json(report.checks)},
                       {"numerics", report.numerics ? to_json(*report.numerics) : json()}};
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace twinrun::harness
