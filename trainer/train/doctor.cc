#include "trainer/train/doctor.h"

#include <c10/cuda/CUDAFunctions.h>

#include "trainer/numerics/machine.h"
#include "trainer/train/train_config.h"

namespace twinrun::trainer {

using nlohmann::json;

json doctor(const std::optional<std::filesystem::path>& config) {
  auto checks = json::array();
  const auto add = [&](const char* name, const char* state, const std::string& message) {
    checks.push_back({{"name", name}, {"state", state}, {"message", message}});
  };
  const auto gpus = c10::cuda::device_count();
  if (gpus == 0) {
    add("gpu", "warning", "no CUDA device is usable; runs go to the CPU");
  } else {
    const auto device = describe_machine(c10::Device(c10::kCUDA, 0)).at("device");
    add("gpu", "ok",
        std::to_string(gpus) + " CUDA device(s), the first is " +
            device.at("name").get<std::string>());
  }
  const auto machine = describe_machine(c10::Device(c10::kCPU));
  add("cpu", "ok", machine.at("cpu").dump());
  add("versions", "ok", machine.at("versions").dump());
  if (config) {
    try {
      const auto typed = read_train_config(protocol::read_run_config(*config));
      prepare_environment(typed.numerics);
      const auto device = resolve_device(typed.numerics.device);
      apply_numerics(typed.numerics, device);
      add("numerics", "ok",
          typed.numerics.mode + " on " + device.str() + ": " + read_switches().dump());
    } catch (const std::exception& error) {
      add("case", "problem", error.what());
    }
  }
  return {{"checks", checks}};
}

}  // namespace twinrun::trainer
