#include "harness/config/cores.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace twinrun::harness {
namespace {

std::vector<int> affinity() {
  constexpr int kCpusMax = 8192;  // of the kernel; a plain cpu_set_t ends at 1024
  std::vector<int> cpus;
  cpu_set_t* mask = CPU_ALLOC(kCpusMax);
  const std::size_t bytes = CPU_ALLOC_SIZE(kCpusMax);
  CPU_ZERO_S(bytes, mask);
  if (sched_getaffinity(0, bytes, mask) == 0) {
    for (int cpu = 0; cpu < kCpusMax; ++cpu) {
      if (CPU_ISSET_S(cpu, bytes, mask)) cpus.push_back(cpu);
    }
  }
  CPU_FREE(mask);
  return cpus;
}

}  // namespace

int physical_cores(const std::filesystem::path& sysfs) {
  std::set<std::string> cores;
  for (const int cpu : affinity()) {
    const std::string name = "cpu" + std::to_string(cpu);
    // All hardware threads of a core list the same siblings.
    std::ifstream siblings(sysfs / name / "topology" / "thread_siblings_list");
    std::string core;
    if (!std::getline(siblings, core) || core.empty()) core = name;
    cores.insert(core);
  }
  return std::max(1, static_cast<int>(cores.size()));
}

int allowed_cpus() { return std::max(1, static_cast<int>(affinity().size())); }

}  // namespace twinrun::harness
