#include "harness/launch/step_watch.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

namespace twinrun::harness {
namespace {

constexpr std::string_view kStepStart = "{\"step\":";
constexpr std::size_t kLineStartBytes = kStepStart.size() + 20;  // 20 digits hold any int64

}  // namespace

StepWatch::StepWatch(std::filesystem::path steps_file) : file_(std::move(steps_file)) {}

StepWatch::~StepWatch() {
  if (fd_ >= 0) close(fd_);
}

bool StepWatch::poll() {
  // Not blocking: whatever a trainer puts there, even a FIFO, the judge keeps watching the clock.
  if (fd_ < 0) fd_ = open(file_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd_ < 0) return false;
  completed_ = false;
  char buffer[1 << 16];
  constexpr int kReadsMax = 256;  // 16 MiB; a trainer that writes without end must not keep us here
  for (int i = 0; i < kReadsMax; ++i) {
    const ssize_t got = read(fd_, buffer, sizeof buffer);
    if (got <= 0) break;
    take(buffer, static_cast<std::size_t>(got));
  }
  return completed_;
}

void StepWatch::take(const char* data, std::size_t size) {
  const char* const end = data + size;
  while (data != end) {
    const void* found = std::memchr(data, '\n', static_cast<std::size_t>(end - data));
    const char* line_end = found == nullptr ? end : static_cast<const char*>(found);
    const std::size_t wanted = kLineStartBytes - line_start_.size();
    line_start_.append(data, std::min(wanted, static_cast<std::size_t>(line_end - data)));
    if (found == nullptr) return;
    completed_ = true;
    if (line_start_.compare(0, kStepStart.size(), kStepStart) == 0) {
      const char* digits = line_start_.data() + kStepStart.size();
      std::from_chars(digits, line_start_.data() + line_start_.size(), last_step_);
    }
    line_start_.clear();
    data = line_end + 1;
  }
}

}  // namespace twinrun::harness
