// slowdown_coverage [SESSIONS] [SEED]: whole sessions of `twinrun bench` on a machine that is
// simulated, through the schedule, the stopping rule, the controls and the judge of the product:
// how often the interval holds the true ratio, how often a verdict is wrong. Prints a table, which
// the same SESSIONS (4000) and SEED (1) give again.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/slowdown_model.h"

namespace {

using twinrun::bench::NoiseModel;
using twinrun::bench::SessionCounts;
using twinrun::harness::BenchSettings;

struct Situation {
  const char* name;
  double ratio, budget;
  NoiseModel noise;
};

std::vector<Situation> situations() {
  const NoiseModel shared;
  NoiseModel quiet;
  quiet.drift = 0.002;
  quiet.slow = 0.001;
  quiet.white = 0.0003;
  quiet.spike_rate = 0;
  const auto with_process = [](NoiseModel noise, double process) {
    noise.process = process;
    return noise;
  };
  return {{"shared machine, no slowdown", 1.00, 1.01, shared},
          {"shared machine, exactly the budget", 1.05, 1.05, shared},
          {"shared machine, well within", 1.02, 1.05, shared},
          {"shared machine, well above", 1.08, 1.05, shared},
          {"the same, processes differ by 0.3 %", 1.00, 1.01, with_process(shared, 0.003)},
          {"quiet machine, exactly the budget", 1.05, 1.05, quiet},
          {"the same, processes differ by 0.05 %", 1.05, 1.05, with_process(quiet, 0.0005)},
          {"the same, processes differ by 0.3 %", 1.05, 1.05, with_process(quiet, 0.003)}};
}

double percent(std::int64_t count, std::int64_t of) {
  return 100.0 * static_cast<double>(count) / static_cast<double>(of);
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t sessions = argc > 1 ? std::atoll(argv[1]) : 4000;
  const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  if (sessions < 1) {
    std::fprintf(stderr, "slowdown_coverage: SESSIONS has to be 1 or more\n");
    return 2;
  }
  std::printf("%lld sessions each, seed %llu; shares in %%\n\n", static_cast<long long>(sessions),
              static_cast<unsigned long long>(seed));
  std::printf("%-38s%6s%7s%9s%9s%7s%9s%8s%8s%7s%7s%7s%7s\n", "situation", "true", "budget",
              "covered", "reported", "WITHIN", "EXCEEDED", "INCONCL", "INVALID", "A/A", "delay",
              "blocks", "+- %");
  for (const Situation& situation : situations()) {
    BenchSettings settings;
    settings.budget = situation.budget;
    const SessionCounts counts =
        simulate_sessions(settings, situation.noise, situation.ratio, sessions, seed);
    std::printf("%-38s%6.2f%7.2f%9.2f%9.2f%7.2f%9.2f%8.2f%8.2f%7.2f%7.2f%7.1f%7.2f\n",
                situation.name, situation.ratio, situation.budget,
                percent(counts.covered, sessions), percent(counts.covered_reported, sessions),
                percent(counts.within, sessions), percent(counts.exceeded, sessions),
                percent(counts.inconclusive, sessions), percent(counts.invalid, sessions),
                percent(counts.same_again_failed, sessions), percent(counts.delay_missed, sessions),
                counts.blocks_mean, 100 * counts.half_width_mean);
    std::fflush(stdout);
  }
  return 0;
}
