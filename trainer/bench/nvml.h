#pragma once

#include <c10/core/Device.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace twinrun::trainer {

/// The names of the bits of NVML's clock throttle reasons; of one that is not known `bit_N`.
std::vector<std::string> throttle_names(unsigned long long bits);

/// What NVML tells about one GPU. Loaded at run time: a machine without the driver has none.
class Nvml {
 public:
  /// `library` is for tests.
  explicit Nvml(c10::Device device, const char* library = "libnvidia-ml.so.1");
  ~Nvml();

  /// Why nothing is told; empty if it can be asked.
  const std::string& problem() const { return problem_; }

  /// Now: sm_mhz, sm_mhz_max, power_w, temperature_c, throttle, other_processes (docs/protocol.md
  /// section 11), each null if it is not told.
  nlohmann::ordered_json sample() const;

 private:
  struct Library;
  std::string connect(c10::Device device, const char* library);

  std::unique_ptr<Library> library_;
  std::string problem_;
};

}  // namespace twinrun::trainer
