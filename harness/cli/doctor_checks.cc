#include "harness/cli/doctor_checks.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>
#include <system_error>

#include "harness/config/cores.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using State = DoctorCheck::State;

constexpr std::uint64_t kMiB = 1 << 20, kGiB = 1 << 30;

std::string format_bytes(std::uint64_t bytes) {
  char text[32];
  const bool large = bytes >= kGiB;
  std::snprintf(text, sizeof text, "%.1f %s",
                static_cast<double>(bytes) / static_cast<double>(large ? kGiB : kMiB),
                large ? "GiB" : "MiB");
  return text;
}

/// The number of KiB in `/proc/meminfo`'s line `name`, in bytes.
std::optional<std::uint64_t> meminfo(const std::string& name) {
  std::ifstream stream("/proc/meminfo");
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string key;
    std::uint64_t kib = 0;
    if (words >> key >> kib && key == name + ":") return kib * 1024;
  }
  return std::nullopt;
}

/// The tightest memory.max of our control group (version 2) and those above it.
std::uint64_t cgroup_limit() {
  std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
  std::ifstream stream("/proc/self/cgroup");
  for (std::string line; std::getline(stream, line);) {
    if (line.rfind("0::/", 0) != 0) continue;
    fs::path group = line.substr(4);
    while (true) {
      std::ifstream file(fs::path("/sys/fs/cgroup") / group / "memory.max");
      std::uint64_t bytes = 0;
      if (file >> bytes) limit = std::min(limit, bytes);  // "max" is no number
      if (group.empty()) break;
      group = group.parent_path();
    }
  }
  return limit;
}

std::uint64_t weight_bytes(const ResolvedCase& resolved) {
  const nlohmann::json& paths = resolved.config.launch.at("paths");
  if (!paths.contains("model")) return 0;
  std::uint64_t total = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(paths.at("model").get<std::string>(), error)) {
    if (entry.path().extension() != ".safetensors") continue;
    const std::uintmax_t bytes = entry.file_size(error);
    if (!error) total += bytes;
  }
  return total;
}

}  // namespace

std::string to_string(State state) {
  switch (state) {
    case State::kOk:
      return "ok";
    case State::kWarning:
      return "warning";
    case State::kProblem:
      return "problem";
    case State::kFailed:
      break;
  }
  return "failed";
}

DoctorCheck check_disk(const fs::path& output) {
  // An adapter of a large model with its record takes tens of MiB; three runs and their logs fit.
  constexpr std::uint64_t kNeeded = 200 * kMiB, kComfortable = 2 * kGiB;
  std::error_code error;
  fs::path folder = fs::absolute(output, error);
  while (!fs::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  struct statvfs info {};
  if (statvfs(folder.c_str(), &info) != 0) {
    return {"disk", State::kFailed, folder.string() + ": " + std::strerror(errno)};
  }
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    return {"disk", State::kProblem, folder.string() + " cannot be written; name another --out"};
  }
  const std::uint64_t free = std::uint64_t{info.f_bavail} * info.f_frsize;
  const std::string message = format_bytes(free) + " free in " + folder.string();
  const bool no_files = info.f_files > 0 && info.f_favail == 0;
  if (no_files) return {"disk", State::kProblem, folder.string() + ": no inodes left"};
  if (free < kNeeded) return {"disk", State::kProblem, message + "; free some, or name --out"};
  return {"disk", free < kComfortable ? State::kWarning : State::kOk, message};
}

DoctorCheck check_cpu(const std::optional<ResolvedCase>& resolved) {
  const int cores = physical_cores(), cpus = allowed_cpus();
  std::string message =
      std::to_string(cores) + " physical cores, " + std::to_string(cpus) + " CPUs for this process";
  if (!resolved) return {"cpu", State::kOk, message};
  const auto threads = resolved->config.launch.at("threads").get<std::int64_t>();
  message += "; the case takes " + count_of(threads, "thread");
  if (threads > cpus) return {"cpu", State::kWarning, message + ", more than there are CPUs: slow"};
  return {"cpu", State::kOk, message};
}

DoctorCheck check_memory(const std::optional<ResolvedCase>& resolved) {
  const std::optional<std::uint64_t> available = meminfo("MemAvailable");
  if (!available) return {"memory", State::kFailed, "/proc/meminfo names no MemAvailable"};
  const std::uint64_t usable = std::min(*available, cgroup_limit());
  std::string message = format_bytes(usable) + " available";
  const std::uint64_t weights = resolved ? weight_bytes(*resolved) : 0;
  if (weights > 0) message += "; the weights take " + format_bytes(weights) + " on disk";
  // Weights may be held in a wider type than on disk, and activations come on top.
  const std::uint64_t wanted = std::max(kGiB, 3 * weights);
  if (usable >= wanted) return {"memory", State::kOk, message};
  return {"memory", State::kWarning, message + ": a run on the CPU may not fit"};
}

}  // namespace twinrun::harness
