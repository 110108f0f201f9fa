#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "harness/report/verdict_json.h"

namespace twinrun::harness {

/// Limits that every text of terminal_text keeps. A single path or digest that is longer than a
/// line is not cut: a command has to stay one that can be pasted.
inline constexpr std::size_t kTerminalLines = 20;
inline constexpr std::size_t kTerminalColumns = 100;

struct TerminalOptions {
  bool color = false;
  std::filesystem::path evidence;  ///< verdict.json, or empty if none was written
  std::filesystem::path folder;    ///< RunReport::dir is relative to it; empty: current folder
};

/// The verdict for a person: verdict first, then what was compared, the head, the first divergence,
/// controls, cost, where the evidence lies and the command to look again. At most kTerminalLines
/// lines, each ending in a line feed, none starting with anything that a trainer wrote.
std::string terminal_text(const VerdictReport& report, const TerminalOptions& options);

/// `text` in the colour of `verdict`, if `color`: green, red for a difference, else yellow.
std::string colored(Verdict verdict, const std::string& text, bool color);

/// The same for a single run (`twinrun train`).
std::string terminal_text(const RunReport& run, const TerminalOptions& options);

}  // namespace twinrun::harness
