#pragma once

#include <boost/program_options.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace twinrun::harness {

/// What a command takes, and how its help reads.
struct CommandSpec {
  std::string name;      ///< verify
  std::string operands;  ///< as in the usage line: CASE.yaml
  std::size_t operands_min = 1, operands_max = 1;
  std::string purpose;  ///< a few lines
  boost::program_options::options_description flags{"flags"};
  std::string notes;    ///< more paragraphs; may be empty
  std::string example;  ///< a command line or two
};

struct ParsedCommand {
  std::vector<std::string> operands;
  boost::program_options::variables_map flags;
  /// Without an operand: which flag took one for its value, to be put behind a message; or empty.
  std::string operand_hint;

  bool has(const std::string& flag) const { return flags.count(flag) > 0; }
  std::string text(const std::string& flag) const;               ///< empty if not given
  std::vector<std::string> list(const std::string& flag) const;  ///< empty if not given
};

/// Parses `args`; with `--help` (which every command has) prints the help to stdout and returns
/// nullopt. Flags have to be written out; `--` ends them.
///
/// Throws UsageError: unknown flag (with the nearest known one), value missing or given twice,
/// operands missing or too many.
std::optional<ParsedCommand> parse_command(CommandSpec spec, const std::vector<std::string>& args);

/// What the command `run` takes: the CommandSpec that it hands to parse_command, `--help` among its
/// flags. Nothing of the command is carried out. nullopt if it parses nothing.
std::optional<CommandSpec> spec_of(const std::function<int(const std::vector<std::string>&)>& run);

}  // namespace twinrun::harness
