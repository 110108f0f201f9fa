#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "harness/bench/judge_bench.h"
#include "harness/bench/session.h"

namespace twinrun::bench {

/// How times of windows wander on a machine that is shared: every part but the process is that of
/// each window, whoever it belongs to. Fractions of a window's time, standard deviations of its
/// log.
struct NoiseModel {
  double drift = 0.03;            ///< straight, over kDriftWindows
  double slow = 0.023;            ///< first-order autoregressive
  double slow_correlation = 0.9;  ///< from a window to the next
  double white = 0.004;
  double spike_rate = 0.03;  ///< share of windows that meet one
  double spike_mean = 0.15;  ///< of an exponential distribution
  double process = 0;        ///< of a whole process: two of one program differ by it
};
inline constexpr double kDriftWindows = 150;  ///< about a session

/// Uniform and normal numbers from a counter (SplitMix64, Box-Muller).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  double uniform();  ///< in (0, 1)
  double normal();

 private:
  std::uint64_t state_;
};

/// Arms whose times follow the model: those of the mode `deterministic` take `ratio` times those of
/// `fast`, a delay is what the arm was asked for. A window lasts a second, a start ten windows.
class ModelSource : public harness::ArmSource {
 public:
  ModelSource(const NoiseModel& noise, double ratio, std::uint64_t seed);
  ~ModelSource() override;
  std::unique_ptr<harness::Arm> start(const harness::ArmSpec& spec, std::int64_t process) override;
  double now_s() override;

  struct Machine;

 private:
  std::unique_ptr<Machine> machine_;
};

/// One whole session through the real schedule, stopping rule and judge.
struct SessionOutcome {
  harness::BenchVerdict verdict;
  harness::Estimate candidate;  ///< before it was widened
};
SessionOutcome simulate_session(const harness::BenchSettings& settings, const NoiseModel& noise,
                                double ratio, std::uint64_t seed);

/// What many sessions come to; counts of sessions.
struct SessionCounts {
  std::int64_t sessions = 0;
  std::int64_t covered = 0;           ///< the interval holds the true ratio
  std::int64_t covered_reported = 0;  ///< the same of the widened interval
  std::int64_t within = 0, exceeded = 0, inconclusive = 0, invalid = 0;
  std::int64_t same_again_failed = 0, delay_missed = 0;
  double blocks_mean = 0, half_width_mean = 0;  ///< of the candidate
};
SessionCounts simulate_sessions(const harness::BenchSettings& settings, const NoiseModel& noise,
                                double ratio, std::int64_t sessions, std::uint64_t seed);

}  // namespace twinrun::bench
