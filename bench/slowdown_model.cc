#include "bench/slowdown_model.h"

#include <cmath>
#include <numbers>

namespace twinrun::bench {

using harness::Arm;
using harness::ArmReady;
using harness::ArmSpec;
using harness::Window;

struct ModelSource::Machine {
  NoiseModel noise;
  double ratio;
  Random random;
  double slow = 0;
  double now_s = 0;

  /// Time goes on by a window: the log of what the machine does to it.
  double next_window() {
    const double kept = noise.slow_correlation;
    slow = kept * slow + std::sqrt(1 - kept * kept) * noise.slow * random.normal();
    now_s += 1;
    double log_time = noise.drift * now_s / kDriftWindows + slow + noise.white * random.normal();
    if (random.uniform() < noise.spike_rate) {
      log_time += std::log1p(-noise.spike_mean * std::log(random.uniform()));
    }
    return log_time;
  }
};

namespace {

class ModelArm : public Arm {
 public:
  ModelArm(ModelSource::Machine& machine, const ArmSpec& spec) : machine_(machine) {
    effect_ = std::log1p(spec.delay) + machine.noise.process * machine.random.normal();
    if (spec.numerics == "deterministic") effect_ += std::log(machine.ratio);
    ready_.step_ns = 1e9;
    ready_.delay_ns = spec.delay * 1e9;
    ready_.device = {{"name", "model"}, {"type", "cpu"}};
    ready_.line = {{"ready", true}};
  }
  const ArmReady& ready() const override { return ready_; }
  Window run(std::int64_t steps) override {
    Window window;
    window.steps = steps;
    const double log_time = effect_ + machine_.next_window();
    window.host_ns = 1e9 * static_cast<double>(steps) * std::exp(log_time);
    return window;
  }

 private:
  ModelSource::Machine& machine_;
  double effect_;
  ArmReady ready_;
};

}  // namespace

std::uint64_t Random::next() {
  // Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

double Random::uniform() { return (static_cast<double>(next() >> 11) + 0.5) * 0x1p-53; }

double Random::normal() {
  const double radius = std::sqrt(-2 * std::log(uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

ModelSource::ModelSource(const NoiseModel& noise, double ratio, std::uint64_t seed)
    : machine_(std::make_unique<Machine>(Machine{noise, ratio, Random(seed)})) {
  machine_->slow = noise.slow * machine_->random.normal();
}

ModelSource::~ModelSource() = default;

std::unique_ptr<Arm> ModelSource::start(const ArmSpec& spec, std::int64_t) {
  constexpr int kStartWindows = 10;
  for (int i = 0; i < kStartWindows; ++i) machine_->next_window();
  return std::make_unique<ModelArm>(*machine_, spec);
}

double ModelSource::now_s() { return machine_->now_s; }

SessionOutcome simulate_session(const harness::BenchSettings& settings, const NoiseModel& noise,
                                double ratio, std::uint64_t seed) {
  harness::SessionState state;
  state.seed = seed;
  for (const harness::ComparisonSpec& spec : harness::plan_comparisons(settings)) {
    state.comparisons.emplace_back().spec = spec;
  }
  ModelSource source(noise, ratio, ~seed);
  constexpr double kNoLimit_s = 1e9;
  harness::measure(state, settings, source, kNoLimit_s, [](const nlohmann::json&) {});
  return {harness::judge_bench(state, settings),
          harness::estimate(state.comparisons.front().blocks, settings.confidence)};
}

SessionCounts simulate_sessions(const harness::BenchSettings& settings, const NoiseModel& noise,
                                double ratio, std::int64_t sessions, std::uint64_t seed) {
  using harness::Verdict;
  const auto holds = [ratio](const harness::Estimate& estimate) {
    return estimate.ratio && *estimate.low <= ratio && ratio <= *estimate.high;
  };
  SessionCounts counts;
  Random seeds(seed);
  for (std::int64_t i = 0; i < sessions; ++i) {
    const SessionOutcome outcome = simulate_session(settings, noise, ratio, seeds.next() >> 11);
    const harness::BenchVerdict& judged = outcome.verdict;
    ++counts.sessions;
    counts.covered += holds(outcome.candidate) ? 1 : 0;
    counts.covered_reported += holds(judged.results.front().estimate) ? 1 : 0;
    counts.within += judged.verdict == Verdict::kReproduced ? 1 : 0;
    counts.exceeded += judged.verdict == Verdict::kSlowdownExceeded ? 1 : 0;
    counts.inconclusive += judged.verdict == Verdict::kInconclusive ? 1 : 0;
    counts.invalid += judged.verdict == Verdict::kInvalid ? 1 : 0;
    counts.same_again_failed += judged.checks.front().reason == "same_again_differs" ? 1 : 0;
    counts.delay_missed += judged.checks.front().reason == "delay_not_seen" ? 1 : 0;
    counts.blocks_mean += outcome.candidate.blocks;
    counts.half_width_mean += outcome.candidate.half_width;
  }
  counts.blocks_mean /= static_cast<double>(sessions);
  counts.half_width_mean /= static_cast<double>(sessions);
  return counts;
}

}  // namespace twinrun::bench
