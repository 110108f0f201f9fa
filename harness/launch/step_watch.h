#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace twinrun::harness {

/// Follows a growing steps.jsonl, reading each byte once.
class StepWatch {
 public:
  explicit StepWatch(std::filesystem::path steps_file);
  ~StepWatch();
  StepWatch(const StepWatch&) = delete;
  StepWatch& operator=(const StepWatch&) = delete;

  /// Reads what is new; true if a line was completed. A file that is not there yet has no lines.
  bool poll();
  /// The number in the last complete line that begins with `{"step":`, 0 before the first.
  std::int64_t last_step() const { return last_step_; }

 private:
  void take(const char* data, std::size_t size);

  std::filesystem::path file_;
  int fd_ = -1;
  std::string line_start_;  // of the incomplete line: as much as holds the step number
  bool completed_ = false;
  std::int64_t last_step_ = 0;
};

}  // namespace twinrun::harness
