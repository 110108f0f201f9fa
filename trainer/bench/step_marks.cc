#include "trainer/bench/step_marks.h"

#include <ATen/cuda/CUDAEvent.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace twinrun::trainer {

struct StepMarks::Marks {
  std::vector<at::cuda::CUDAEvent> events;
  std::vector<std::chrono::steady_clock::time_point> times;
};

StepMarks::StepMarks(c10::Device device) : device_(device), marks_(std::make_unique<Marks>()) {}
StepMarks::~StepMarks() = default;

void StepMarks::mark() {
  if (device_.is_cuda()) {
    marks_->events.emplace_back(cudaEventDefault);  // with timing, unlike LibTorch's default
    marks_->events.back().record();
  } else {
    marks_->times.push_back(std::chrono::steady_clock::now());
  }
}

std::vector<std::int64_t> StepMarks::intervals_ns() const {
  std::vector<std::int64_t> intervals;
  const auto& [events, times] = *marks_;
  for (std::size_t i = 1; i < events.size(); ++i) {
    intervals.push_back(std::llround(events[i - 1].elapsed_time(events[i]) * 1e6));
  }
  for (std::size_t i = 1; i < times.size(); ++i) {
    intervals.push_back(
        std::chrono::duration_cast<std::chrono::nanoseconds>(times[i] - times[i - 1]).count());
  }
  return intervals;
}

std::int64_t median(std::vector<std::int64_t> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace twinrun::trainer
