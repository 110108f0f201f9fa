#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "trainer/bench/bench_options.h"
#include "trainer/bench/nvml.h"
#include "trainer/train/session.h"

namespace twinrun::trainer {

/// A warm process whose steps are measured (docs/protocol.md section 11): steps as in training,
/// digests included, of which nothing is written.
class Arm {
 public:
  /// As Session, and throws NumericsError for a switch that cannot be forced here.
  Arm(const TrainConfig& config, const BenchOptions& options);

  /// Warms up; the answer `ready`. Call once, before any window. Throws what a step throws, and
  /// std::runtime_error if a switch no longer stands as mode or `launch.bench` need it.
  nlohmann::ordered_json warm_up();

  /// The answer to `run` `steps`. Throws what a step throws, and std::runtime_error where loss or
  /// gradient norm are not finite: such steps measure nothing.
  nlohmann::ordered_json window(std::int64_t steps);

 private:
  void one_step();
  /// The median of `steps` steps.
  std::int64_t warm_window(std::int64_t steps);
  void synchronize() const;

  BenchOptions options_;
  nlohmann::json manifest_;
  Session session_;
  Nvml nvml_;
  std::int64_t step_ = 0, windows_ = 0, delay_ns_ = 0;
  protocol::StepRecord last_;  ///< of the last step whose digests have arrived
  StepDigests digests_;
};

}  // namespace twinrun::trainer
