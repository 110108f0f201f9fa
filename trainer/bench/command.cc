#include "trainer/bench/command.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <system_error>

namespace twinrun::trainer {
namespace {

/// What was sent, for people: its beginning, quoted, without control characters.
std::string shown(const std::string& line) {
  constexpr std::size_t kShown = 60;
  const std::string begin = line.size() > kShown ? line.substr(0, kShown) + "..." : line;
  return nlohmann::json(begin).dump(-1, ' ', /*ensure_ascii=*/true,
                                    nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::int64_t next_window(std::istream& in) {
  std::string line;
  if (!std::getline(in, line) || in.eof() || line == "quit") return 0;
  constexpr std::string_view kRun = "run ";
  std::int64_t steps = 0;
  const char* const end = line.data() + line.size();
  const bool is_run = line.starts_with(kRun);
  const auto [stop, error] = is_run
                                 ? std::from_chars(line.data() + kRun.size(), end, steps)
                                 : std::from_chars_result{line.data(), std::errc::invalid_argument};
  if (stop != end || error == std::errc::invalid_argument) {
    throw CommandError(shown(line) + " is no command; `run N` and `quit` are");
  }
  if (error != std::errc() || steps < 1 || steps > kMostWindowSteps) {
    throw CommandError(shown(line) + ": a window has 1 .. " + std::to_string(kMostWindowSteps) +
                       " steps");
  }
  return steps;
}

}  // namespace twinrun::trainer
