#include "trainer/numerics/machine.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/cuda/CUDAContext.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <torch/headeronly/version.h>

#include <fstream>

#include "harness/protocol/sha256.h"
#include "trainer/numerics/loaded.h"
#include "twinrun_version.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;

json cuda_runtime_version() {
  int version = 0;
  if (cudaRuntimeGetVersion(&version) != cudaSuccess) return nullptr;
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

json cublas_version() {
  const auto get = loaded<int(int, int*)>("cublasGetProperty");
  int parts[3] = {};
  if (get == nullptr) return nullptr;
  for (int i = 0; i < 3; ++i) {
    if (get(i, &parts[i]) != 0) return nullptr;
  }
  return std::to_string(parts[0]) + "." + std::to_string(parts[1]) + "." + std::to_string(parts[2]);
}

json nccl_version() {
  const auto get = loaded<int(int*)>("ncclGetVersion");
  int version = 0;
  if (get == nullptr || get(&version) != 0) return nullptr;
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

json cudnn_version() {
  const auto get = loaded<std::size_t()>("cudnnGetVersion");
  if (get == nullptr) return nullptr;
  const auto version = get();
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

/// The driver's own version: NVML knows it, the runtime only the CUDA version it supports.
json driver_version() {
  void* nvml = ::dlopen("libnvidia-ml.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (nvml == nullptr) return nullptr;
  const auto init = reinterpret_cast<int (*)()>(::dlsym(nvml, "nvmlInit_v2"));
  const auto get =
      reinterpret_cast<int (*)(char*, unsigned)>(::dlsym(nvml, "nvmlSystemGetDriverVersion"));
  char text[96] = {};
  const bool known =
      init != nullptr && get != nullptr && init() == 0 && get(text, sizeof text) == 0;
  ::dlclose(nvml);
  return known ? json(text) : json(nullptr);
}

json device_json(c10::Device device) {
  if (!device.is_cuda()) {
    return {{"type", "cpu"},
            {"name", nullptr},
            {"sm_count", nullptr},
            {"memory_bytes", nullptr},
            {"uuid_sha256", nullptr}};
  }
  const auto* properties = at::cuda::getDeviceProperties(device.index());
  const std::string_view uuid(properties->uuid.bytes, sizeof properties->uuid.bytes);
  return {{"type", "cuda"},
          {"name", properties->name},
          {"sm_count", properties->multiProcessorCount},
          {"memory_bytes", properties->totalGlobalMem},
          {"uuid_sha256", protocol::to_hex(protocol::sha256(uuid))}};
}

json cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return nullptr;
}

}  // namespace

json describe_machine(c10::Device device) {
  return {{"versions",
           {{"twinrun", TWINRUN_VERSION},
            {"torch", TORCH_VERSION},
            {"cuda", cuda_runtime_version()},
            {"cudnn", cudnn_version()},
            {"cublas", cublas_version()},
            {"nccl", nccl_version()},
            {"driver", driver_version()},
            {"compiler", "g++ " __VERSION__}}},
          {"git", {{"commit", TWINRUN_GIT_COMMIT}, {"dirty", TWINRUN_GIT_DIRTY}}},
          {"binary", protocol::to_hex(protocol::sha256_file("/proc/self/exe"))},
          {"device", device_json(device)},
          {"cpu",
           {{"model", cpu_model()},
            {"isa", at::get_cpu_capability()},
            {"threads", at::get_num_threads()}}},
          {"world_size", 1}};
}

}  // namespace twinrun::trainer
