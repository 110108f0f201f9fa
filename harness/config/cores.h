#pragma once

#include <filesystem>

namespace twinrun::harness {

/// Physical cores that this process may use: the CPUs of its affinity mask, hardware threads of one
/// core counted once. At least 1.
///
/// `sysfs` is where the topology is read; a CPU whose topology is not there counts as a core.
int physical_cores(const std::filesystem::path& sysfs = "/sys/devices/system/cpu");

/// CPUs (hardware threads) of the affinity mask. At least 1.
int allowed_cpus();

}  // namespace twinrun::harness
