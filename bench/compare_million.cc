// What `twinrun compare` costs on two runs of a million steps: time and peak memory of reading
// both, comparing them and planting the control, for equal records and for ones that differ in the
// last step.
//
//   compare_million FOLDER [STEPS]      writes some 3 x 735 MB below FOLDER, and leaves them there
//
// The files are read from the page cache (a first pass warms it); each figure comes from a process
// of its own, so that the peak memory is that of the comparison alone.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "bench/made_up_run.h"
#include "harness/compare/compare.h"

namespace {

using namespace twinrun;

constexpr int kRepetitions = 5;

std::string judge(const std::filesystem::path& a, const std::filesystem::path& b) {
  const auto run_a = harness::read_run(a);
  const auto run_b = harness::read_run(b, &run_a);
  const auto comparison = harness::compare_runs(run_a, run_b);
  const auto control = harness::control_planted_ulp(run_a, 42);
  return to_string(comparison.verdict) + ", " + std::to_string(comparison.comparisons) +
         " comparisons, planted change " + (control.passed ? "found" : "NOT FOUND");
}

// Runs `judge` in a child; false if that did not work.
bool measure(const std::filesystem::path& a, const std::filesystem::path& b, const char* what) {
  std::vector<double> seconds, cpu_seconds;
  long rss_kib_max = 0;
  for (int i = 0; i <= kRepetitions; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const pid_t child = fork();
    if (child == 0) {
      const std::string verdict = judge(a, b);
      if (i == 0) std::cout << what << ": " << verdict << std::endl;
      _exit(0);
    }
    int status = 0;
    struct rusage usage {};
    if (child < 0 || wait4(child, &status, 0, &usage) != child || status != 0) return false;
    if (i == 0) continue;  // the pass that warms the page cache
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    seconds.push_back(wall.count());
    cpu_seconds.push_back(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
                          1e-6 * (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
    rss_kib_max = std::max(rss_kib_max, usage.ru_maxrss);
  }
  std::sort(seconds.begin(), seconds.end());
  std::sort(cpu_seconds.begin(), cpu_seconds.end());
  std::printf(
      "  wall s: median %.2f, min %.2f, max %.2f of %d;  CPU s: median %.2f;  peak MiB: %.0f\n",
      seconds[seconds.size() / 2], seconds.front(), seconds.back(), kRepetitions,
      cpu_seconds[cpu_seconds.size() / 2], static_cast<double>(rss_kib_max) / 1024);
  std::fflush(stdout);  // or a child prints it again
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::cerr << "usage: compare_million FOLDER [STEPS]\n";
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const std::int64_t steps = argc == 3 ? std::atoll(argv[2]) : 1'000'000;
  bench::write_run(folder / "a", steps, false);
  bench::write_run(folder / "b", steps, false);
  bench::write_run(folder / "other_end", steps, true);
  std::printf("%lld steps, %.0f MB a record\n", static_cast<long long>(steps),
              static_cast<double>(std::filesystem::file_size(folder / "a" / "steps.jsonl")) / 1e6);
  std::fflush(stdout);
  const bool good = measure(folder / "a", folder / "b", "equal") &&
                    measure(folder / "a", folder / "other_end", "last step differs");
  return good ? 0 : 1;
}
