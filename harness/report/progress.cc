#include "harness/report/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "harness/report/printable.h"

namespace twinrun::harness {
namespace {

constexpr double kRedrawEvery_s = 0.1;
constexpr double kLineEvery_s = 5;

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool draws_bar() {
  const char* term = std::getenv("TERM");
  const bool dumb = term != nullptr && std::string_view(term) == "dumb";
  return isatty(STDERR_FILENO) == 1 && !is_set("CI") && !dumb;
}

/// `95 s`, `4:05`, `2:03:09`.
std::string format_duration(double seconds) {
  const auto whole = static_cast<long long>(std::min(seconds, 1e9) + 0.5);
  char text[32];
  if (whole < 100) {
    std::snprintf(text, sizeof text, "%lld s", whole);
  } else if (whole < 3600) {
    std::snprintf(text, sizeof text, "%lld:%02lld", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60,
                  whole % 60);
  }
  return text;
}

std::string format_state(std::int64_t step, std::int64_t steps, double seconds) {
  std::string state = "step " + std::to_string(step) + "/" + std::to_string(steps);
  if (step <= 0 || seconds <= 0) return state + ", " + format_duration(seconds) + " so far";
  char rate[32];
  std::snprintf(rate, sizeof rate, ", %.3g steps/s", static_cast<double>(step) / seconds);
  const double left_s =
      seconds / static_cast<double>(step) * static_cast<double>(std::max(steps - step, {}));
  return state + rate + ", ETA " + format_duration(left_s);
}

std::string format_bar(std::int64_t step, std::int64_t steps) {
  constexpr std::int64_t kCells = 20;
  const std::int64_t cells =
      steps > 0 ? std::clamp(step, std::int64_t{0}, steps) * kCells / steps : 0;
  return "[" + std::string(static_cast<std::size_t>(cells), '#') +
         std::string(static_cast<std::size_t>(kCells - cells), '.') + "]";
}

// \r to the line's start, CSI K clears what the longer line before it left behind.
constexpr const char* kClearLine = "\r\x1b[K";

}  // namespace

Progress::Progress(std::string label, std::int64_t steps, bool quiet)
    : label_(printable(label)), steps_(steps), terminal_(draws_bar()), quiet_(quiet) {}

void Progress::update(std::int64_t step, double seconds) {
  if (quiet_ || seconds - last_line_s_ < (terminal_ ? kRedrawEvery_s : kLineEvery_s)) return;
  last_line_s_ = seconds;
  const std::string state = format_state(step, steps_, seconds);
  if (terminal_) {
    std::fprintf(stderr, "%s%s %s %s", kClearLine, label_.c_str(), format_bar(step, steps_).c_str(),
                 state.c_str());
  } else {
    std::fprintf(stderr, "%s: %s\n", label_.c_str(), state.c_str());
  }
  std::fflush(stderr);
}

void Progress::finish(const std::string& outcome) {
  if (quiet_) return;
  std::fprintf(stderr, "%s%s: %s\n", terminal_ ? kClearLine : "", label_.c_str(),
               printable(outcome).c_str());
  std::fflush(stderr);
}

bool use_color(int fd) { return isatty(fd) == 1 && !is_set("NO_COLOR"); }

}  // namespace twinrun::harness
