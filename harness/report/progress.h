#pragma once

#include <cstdint>
#include <string>

namespace twinrun::harness {

/// Progress of a run on stderr: a bar on a terminal (steps, steps/s, ETA), one line every few
/// seconds with `CI` set or no terminal, nothing when `quiet`.
class Progress {
 public:
  Progress(std::string label, std::int64_t steps, bool quiet);
  void update(std::int64_t step, double seconds);
  void finish(const std::string& outcome);

 private:
  std::string label_;
  std::int64_t steps_;
  bool terminal_, quiet_;
  double last_line_s_ = -1e9;
};

/// Whether to colour `fd`: a terminal, and NO_COLOR unset or empty.
bool use_color(int fd);

}  // namespace twinrun::harness
