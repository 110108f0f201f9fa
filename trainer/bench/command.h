#pragma once

#include <cstdint>
#include <istream>
#include <stdexcept>

namespace twinrun::trainer {

/// A line that is no command; the caller can fix it (exit code 2).
struct CommandError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// The longest window, in steps.
inline constexpr std::int64_t kMostWindowSteps = 1'000'000;

/// The steps of the next `run N` that `in` asks for; 0 after `quit` or at its end (a last line
/// without line feed is torn, and no command). Waits for it.
///
/// Throws CommandError for anything else, and for N outside 1 .. kMostWindowSteps.
std::int64_t next_window(std::istream& in);

}  // namespace twinrun::trainer
