#include "harness/cli/options.h"

#include <iostream>
#include <sstream>
#include <utility>

#include "harness/config/case.h"
#include "harness/exit_code.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace po = boost::program_options;

// Boost collects operands under the name of an option; a space keeps it out of reach of a user.
constexpr const char* kOperands = " operands";

/// Where parse_command leaves the spec instead of parsing, while spec_of asks for it.
std::optional<CommandSpec>* asked_for = nullptr;

std::string help_text(const CommandSpec& spec) {
  std::ostringstream text;
  text << "usage: twinrun " << spec.name << " " << spec.operands << " [flags]\n\n"
       << spec.purpose << "\n\n"
       << spec.flags << "\n";
  if (!spec.notes.empty()) text << spec.notes << "\n\n";
  text << "example:\n" << spec.example << "\n";
  return text.str();
}

std::string unknown_flag(const CommandSpec& spec, const std::string& flag) {
  std::vector<std::string> known;
  for (const auto& option : spec.flags.options()) known.push_back("--" + option->long_name());
  const std::string near = nearest_word(flag.substr(0, flag.find('=')), known);
  return "unknown flag '" + one_line(flag) + "'" +
         (near.empty() ? "" : "; did you mean '" + near + "'?");
}

/// Says so where a flag whose value may be left out has taken the operand that is missing.
std::string taken_by_flag(const CommandSpec& spec, const ParsedCommand& parsed) {
  for (const auto& option : spec.flags.options()) {
    const auto& value = *option->semantic();
    const bool optional = value.min_tokens() == 0 && value.max_tokens() == 1;
    if (!optional || parsed.text(option->long_name()).empty()) continue;
    const std::string flag = "--" + option->long_name();
    return "; " + flag + " took '" + one_line(parsed.text(option->long_name())) +
           "' for its value: name it before " + flag;
  }
  return "";
}

void require_operands(const CommandSpec& spec, const std::string& hint, std::size_t found) {
  if (found < spec.operands_min) {
    throw UsageError(spec.name + ": " + spec.operands + " is missing" + hint);
  }
  if (found > spec.operands_max) {
    throw UsageError(spec.name + ": takes " + spec.operands + " only, but " +
                     count_of(static_cast<long long>(found), "operand") + " were given" + hint);
  }
}

}  // namespace

std::string ParsedCommand::text(const std::string& flag) const {
  return has(flag) ? flags[flag].as<std::string>() : std::string();
}

std::vector<std::string> ParsedCommand::list(const std::string& flag) const {
  return has(flag) ? flags[flag].as<std::vector<std::string>>() : std::vector<std::string>();
}

std::optional<ParsedCommand> parse_command(CommandSpec spec, const std::vector<std::string>& args) {
  const std::string hint = " (twinrun " + spec.name + " --help)";
  spec.flags.add_options()("help,h", "this text");
  if (asked_for != nullptr) {
    asked_for->emplace(std::move(spec));
    return std::nullopt;
  }
  po::options_description all;
  all.add(spec.flags).add_options()(kOperands, po::value<std::vector<std::string>>());
  po::positional_options_description operands;
  operands.add(kOperands, -1);

  ParsedCommand parsed;
  try {
    // No guessing: an abbreviation that works today is ambiguous after the next flag.
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(args).options(all).positional(operands).style(style).run(),
              parsed.flags);
  } catch (const po::unknown_option& error) {
    throw UsageError(spec.name + ": " + unknown_flag(spec, error.get_option_name()) + hint);
  } catch (const po::error& error) {
    throw UsageError(spec.name + ": " + one_line(error.what()) + hint);
  }
  if (parsed.has("help")) {
    std::cout << help_text(spec);
    return std::nullopt;
  }
  parsed.operands = parsed.list(kOperands);
  const bool missing = parsed.operands.size() < spec.operands_min;
  require_operands(spec, (missing ? taken_by_flag(spec, parsed) : "") + hint,
                   parsed.operands.size());
  if (parsed.operands.empty()) parsed.operand_hint = taken_by_flag(spec, parsed);
  return parsed;
}

std::optional<CommandSpec> spec_of(const std::function<int(const std::vector<std::string>&)>& run) {
  std::optional<CommandSpec> spec;
  asked_for = &spec;
  try {
    run({});
  } catch (const UsageError&) {
    // It looked at its arguments first; there is no spec then.
  }
  asked_for = nullptr;
  return spec;
}

}  // namespace twinrun::harness
