#include "trainer/numerics/numerics.h"

#include <c10/cuda/CUDAFunctions.h>

#include <stdexcept>

namespace twinrun::trainer {

c10::Device resolve_device(const std::string& device) {
  const auto gpus = c10::cuda::device_count();
  if (device == "cpu" || (device == "auto" && gpus == 0)) return c10::Device(c10::kCPU);
  if (gpus == 0) {
    throw NumericsError("device: " + device +
                        ", but no CUDA device is usable here "
                        "(nvidia-smi shows what the driver sees); use device: cpu or auto");
  }
  const auto index = device == "auto" || device == "cuda" ? 0 : std::stoi(device.substr(5));
  if (index >= gpus) {
    throw NumericsError("device: " + device + ", but this machine has " + std::to_string(gpus) +
                        " CUDA device(s), numbered from 0");
  }
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
}

c10::ScalarType compute_dtype(const std::string& dtype) {
  if (dtype == "float32") return c10::kFloat;
  if (dtype == "bfloat16") return c10::kBFloat16;
  throw NumericsError("model.dtype " + dtype + ": float32 and bfloat16 are built");
}

std::string arithmetic_id(const NumericsOptions& options) {
  if (options.mode == "portable") return "portable-f32/1";
  // Noisier than the same without it, so nothing that was measured on one may judge the other.
  const std::string shuffled = options.shuffle_reductions ? "-shuffled" : "";
  return "libtorch-" + options.dtype + "/4" + shuffled;
}

nlohmann::json to_manifest(const std::vector<SwitchState>& switches) {
  auto object = nlohmann::json::object();
  for (const auto& state : switches) object[state.name] = state.value;
  return object;
}

void require_as_wanted(const std::vector<SwitchState>& switches) {
  for (const auto& state : switches) {
    if (state.wanted.is_null() || state.value == state.wanted) continue;
    throw std::runtime_error("numerics: the switch " + state.name + " was set to " +
                             state.wanted.dump() + ", but its library says " + state.value.dump() +
                             " (" + state.reason + "); so bits cannot be promised");
  }
}

}  // namespace twinrun::trainer
