#include "trainer/bench/nvml.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>

namespace twinrun::trainer {
namespace {

using nlohmann::ordered_json;

// What of nvml.h is used: its interface is stable, and the header is in no package that is needed
// otherwise.
using NvmlDevice = void*;
constexpr int kSuccess = 0, kInsufficientSize = 7;
constexpr int kClockSm = 1, kTemperatureGpu = 0;
struct ProcessInfo {  // nvmlProcessInfo_t of the _v3 functions
  unsigned pid;
  unsigned long long used_memory;
  unsigned gpu_instance, compute_instance;
};

constexpr std::array kThrottleNames = {"gpu_idle",    "applications_clocks", "sw_power_cap",
                                       "hw_slowdown", "sync_boost",          "sw_thermal",
                                       "hw_thermal",  "hw_power_brake",      "display_clocks"};

}  // namespace

std::vector<std::string> throttle_names(unsigned long long bits) {
  std::vector<std::string> names;
  for (std::size_t bit = 0; bit < 64; ++bit) {
    if ((bits >> bit & 1) == 0) continue;
    names.push_back(bit < kThrottleNames.size() ? kThrottleNames[bit]
                                                : "bit_" + std::to_string(bit));
  }
  return names;
}

struct Nvml::Library {
  void* handle = nullptr;
  NvmlDevice device = nullptr;
  bool started = false;
  int (*shutdown)() = nullptr;
  int (*clock)(NvmlDevice, int, unsigned*) = nullptr;
  int (*max_clock)(NvmlDevice, int, unsigned*) = nullptr;
  int (*power)(NvmlDevice, unsigned*) = nullptr;
  int (*temperature)(NvmlDevice, int, unsigned*) = nullptr;
  int (*throttle)(NvmlDevice, unsigned long long*) = nullptr;
  int (*processes)(NvmlDevice, unsigned*, ProcessInfo*) = nullptr;

  ~Library() {
    if (started && shutdown != nullptr) shutdown();
    if (handle != nullptr) ::dlclose(handle);
  }

  template <typename Function>
  void find(Function*& function, const char* name) const {
    function = reinterpret_cast<Function*>(::dlsym(handle, name));
  }

  template <typename Get, typename... Which>
  ordered_json number(Get* get, Which... which) const {
    unsigned value = 0;
    if (get == nullptr || get(device, which..., &value) != kSuccess) return nullptr;
    return value;
  }

  ordered_json throttle_reasons() const {
    unsigned long long bits = 0;
    if (throttle == nullptr || throttle(device, &bits) != kSuccess) return nullptr;
    return throttle_names(bits);
  }

  /// In a container the driver may number processes otherwise than we do, or show none: then not
  /// even this one, which has a context on the GPU.
  ordered_json other_processes() const {
    if (processes == nullptr) return nullptr;
    std::vector<ProcessInfo> list(64);
    int result = kInsufficientSize;
    for (int attempt = 0; result == kInsufficientSize && attempt < 4; ++attempt) {
      auto count = static_cast<unsigned>(list.size());
      result = processes(device, &count, list.data());
      list.resize(result == kSuccess ? count : std::max<std::size_t>(count, 2 * list.size()));
    }
    if (result != kSuccess || list.empty()) return nullptr;
    return list.size() - 1;
  }
};

Nvml::Nvml(c10::Device device, const char* library) : library_(std::make_unique<Library>()) {
  problem_ = device.is_cuda() ? connect(device, library) : "the device is a CPU";
}

Nvml::~Nvml() = default;

std::string Nvml::connect(c10::Device device, const char* library) {
  auto& nvml = *library_;
  nvml.handle = ::dlopen(library, RTLD_LAZY | RTLD_LOCAL);
  if (nvml.handle == nullptr) return std::string("NVML cannot be loaded: ") + ::dlerror();
  int (*init)() = nullptr;
  int (*by_bus)(const char*, NvmlDevice*) = nullptr;
  nvml.find(init, "nvmlInit_v2");
  nvml.find(by_bus, "nvmlDeviceGetHandleByPciBusId_v2");
  nvml.find(nvml.shutdown, "nvmlShutdown");
  nvml.find(nvml.clock, "nvmlDeviceGetClockInfo");
  nvml.find(nvml.max_clock, "nvmlDeviceGetMaxClockInfo");
  nvml.find(nvml.power, "nvmlDeviceGetPowerUsage");
  nvml.find(nvml.temperature, "nvmlDeviceGetTemperature");
  nvml.find(nvml.throttle, "nvmlDeviceGetCurrentClocksThrottleReasons");
  nvml.find(nvml.processes, "nvmlDeviceGetComputeRunningProcesses_v3");
  if (init == nullptr || by_bus == nullptr) return std::string(library) + " is no NVML";
  if (const int result = init(); result != kSuccess) {
    return "nvmlInit_v2 failed with " + std::to_string(result);
  }
  nvml.started = true;
  char bus[32] = {};
  if (cudaDeviceGetPCIBusId(bus, sizeof bus, device.index()) != cudaSuccess ||
      by_bus(bus, &nvml.device) != kSuccess) {
    return "NVML does not know the GPU " + device.str();
  }
  return "";
}

ordered_json Nvml::sample() const {
  ordered_json now = {{"sm_mhz", nullptr},   {"sm_mhz_max", nullptr},
                      {"power_w", nullptr},  {"temperature_c", nullptr},
                      {"throttle", nullptr}, {"other_processes", nullptr}};
  if (!problem_.empty()) return now;
  const auto& nvml = *library_;
  now["sm_mhz"] = nvml.number(nvml.clock, kClockSm);
  now["sm_mhz_max"] = nvml.number(nvml.max_clock, kClockSm);
  if (const auto milliwatts = nvml.number(nvml.power); !milliwatts.is_null()) {
    now["power_w"] = milliwatts.get<double>() / 1000;
  }
  now["temperature_c"] = nvml.number(nvml.temperature, kTemperatureGpu);
  now["throttle"] = nvml.throttle_reasons();
  now["other_processes"] = nvml.other_processes();
  return now;
}

}  // namespace twinrun::trainer
