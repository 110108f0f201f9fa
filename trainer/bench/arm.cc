#include "trainer/bench/arm.h"

#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <stdexcept>

#include "trainer/bench/delay.h"
#include "trainer/bench/step_marks.h"

namespace twinrun::trainer {
namespace {

using nlohmann::ordered_json;

constexpr std::int64_t kMostWarmUps = 5;  ///< times warmup_steps
constexpr double kSettled = 0.01;         ///< medians of successive windows differ by less

bool differ_by_less(std::int64_t a, std::int64_t b, double fraction) {
  return static_cast<double>(std::abs(a - b)) < fraction * static_cast<double>(std::min(a, b));
}

void require_finite(const protocol::StepRecord& record) {
  if (std::isfinite(record.loss) && std::isfinite(record.grad_norm)) return;
  throw std::runtime_error("step " + std::to_string(record.step) + ": loss " +
                           std::to_string(record.loss) + ", gradient norm " +
                           std::to_string(record.grad_norm) +
                           ": what is not finite cannot stand for training; check the case");
}

}  // namespace

Arm::Arm(const TrainConfig& config, const BenchOptions& options)
    : options_(options),
      session_(config, manifest_),
      nvml_(session_.device()),
      digests_(session_.adapter().named_params(), session_.adapter().named_grads(),
               session_.adapter().named_optimizer(), config.numerics.threads,
               [this](FinishedStep&& step) {
                 require_finite(step.record);
                 last_ = std::move(step.record);
               }) {}

void Arm::synchronize() const {
  if (session_.device().is_cuda()) c10::cuda::getCurrentCUDAStream().synchronize();
}

void Arm::one_step() {
  delay_step(session_.device(), delay_ns_);
  session_.step(++step_, digests_);
}

std::int64_t Arm::warm_window(std::int64_t steps) {
  StepMarks marks(session_.device());
  marks.mark();
  for (std::int64_t i = 0; i < steps; ++i) {
    one_step();
    marks.mark();
  }
  synchronize();
  return median(marks.intervals_ns());
}

ordered_json Arm::warm_up() {
  const c10::InferenceMode inference;
  const auto least = options_.warmup_steps, size = (least + 1) / 2;
  std::int64_t before = 0, now = warm_window(size);
  bool settled = false;
  do {
    before = now;
    now = warm_window(size);
    settled = differ_by_less(before, now, kSettled);
  } while (step_ < least || (!settled && step_ + size <= kMostWarmUps * least));
  digests_.flush();
  // A library that is loaded late may have moved one, MXCSR above all.
  session_.require_switches();
  delay_ns_ = std::llround(options_.delay * static_cast<double>(now));
  const auto& nvml = nvml_.problem();
  return {{"ready", true},
          {"schema", 1},
          {"numerics", session_.config().numerics.mode},
          {"arithmetic", arithmetic_id(session_.config().numerics)},
          {"device", manifest_.at("device")},
          {"versions", manifest_.at("versions")},
          {"switches", manifest_.at("switches")},
          {"forced", options_.switches},
          {"warmup_steps", step_},
          {"settled", settled},
          {"step_ns", now},
          {"delay_ns", delay_ns_},
          {"nvml", nvml.empty() ? ordered_json() : ordered_json(nvml)}};
}

ordered_json Arm::window(std::int64_t steps) {
  const c10::InferenceMode inference;
  StepMarks marks(session_.device());
  synchronize();
  const auto start = std::chrono::steady_clock::now();
  marks.mark();
  for (std::int64_t i = 0; i < steps; ++i) one_step();
  marks.mark();
  const auto seen = nvml_.sample();  // while the last step still runs
  synchronize();
  const auto host = std::chrono::steady_clock::now() - start;
  digests_.flush();
  const bool on_gpu = session_.device().is_cuda();
  ordered_json answer = {
      {"window", ++windows_},
      {"steps", steps},
      {"step", step_},
      {"adapter", protocol::to_hex(last_.adapter)},
      {"host_ns", std::chrono::duration_cast<std::chrono::nanoseconds>(host).count()},
      {"device_ns", on_gpu ? ordered_json(marks.intervals_ns().front()) : ordered_json()}};
  answer.update(seen);
  answer["loss_finite"] = true;
  return answer;
}

}  // namespace twinrun::trainer
