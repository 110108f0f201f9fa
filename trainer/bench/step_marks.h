#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace twinrun::trainer {

/// Marks between steps and the times between them: CUDA events on the current stream, or the steady
/// clock on a CPU.
class StepMarks {
 public:
  explicit StepMarks(c10::Device device);
  ~StepMarks();
  void mark();
  /// Nanoseconds between each mark and the next. On a GPU, REQUIRES that the stream has passed all.
  std::vector<std::int64_t> intervals_ns() const;

 private:
  struct Marks;
  c10::Device device_;
  std::unique_ptr<Marks> marks_;
};

/// The middle one, of an even number the lower of the two. REQUIRES: not empty.
std::int64_t median(std::vector<std::int64_t> values);

}  // namespace twinrun::trainer
