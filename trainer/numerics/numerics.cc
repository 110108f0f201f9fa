#include "trainer/numerics/numerics.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAFunctions.h>

#include <cstdlib>

#include "trainer/numerics/denormals.h"

namespace twinrun::trainer {
namespace {

/// Variables that libraries read and that change results.
constexpr const char* kNumericVariables[] = {"ATEN_CPU_CAPABILITY",
                                             "CUBLAS_WORKSPACE_CONFIG",
                                             "CUBLASLT_WORKSPACE_SIZE",
                                             "CUDA_LAUNCH_BLOCKING",
                                             "MKL_CBWR",
                                             "MKL_ENABLE_INSTRUCTIONS",
                                             "MKL_NUM_THREADS",
                                             "NCCL_ALGO",
                                             "NVIDIA_TF32_OVERRIDE",
                                             "OMP_NUM_THREADS",
                                             "ONEDNN_MAX_CPU_ISA",
                                             "DNNL_MAX_CPU_ISA",
                                             "PYTORCH_CUDA_ALLOC_CONF",
                                             "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
                                             "TORCH_BLAS_PREFER_CUBLASLT"};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Sets `name` unless it is set; then its value must be `wanted`.
void demand(const char* name, const std::string& wanted) {
  const auto value = variable(name);
  if (value.empty()) {
    ::setenv(name, wanted.c_str(), 1);
  } else if (value != wanted) {
    throw NumericsError(std::string(name) + "=" + value +
                        " in the environment, but this case needs " + wanted + "; unset it");
  }
}

void demand_isa(const std::string& isa) {
  if (isa == "auto") return;
  demand("ATEN_CPU_CAPABILITY", isa == "plain" ? "default" : isa);
  demand("ONEDNN_MAX_CPU_ISA", isa == "plain" ? "SSE41" : isa == "avx2" ? "AVX2" : "AVX512_CORE");
  demand("MKL_ENABLE_INSTRUCTIONS", isa == "plain" ? "SSE4_2" : isa == "avx2" ? "AVX2" : "AVX512");
}

}  // namespace

bool promises_bits(const NumericsOptions& options) { return options.mode != "fast"; }

void prepare_environment(const NumericsOptions& options) {
  if (options.mode == "portable") {
    // Its kernels call no library, so what is set there is left alone; the default is as below.
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
    return;
  }
  demand_isa(options.isa);
  if (options.mode != "deterministic") return;
  // One workspace a handle and stream: without it cuBLAS may choose another split on another call.
  const auto workspace = variable("CUBLAS_WORKSPACE_CONFIG");
  if (workspace != ":16:8") demand("CUBLAS_WORKSPACE_CONFIG", ":4096:8");
  if (const auto tf32 = variable("NVIDIA_TF32_OVERRIDE"); !tf32.empty() && tf32 != "0") {
    throw NumericsError("NVIDIA_TF32_OVERRIDE=" + tf32 +
                        " in the environment forces TF32 on or off behind the library; unset it");
  }
  if (variable("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE") == "1") {
    throw NumericsError(
        "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1 in the environment turns TF32 on; unset it");
  }
}

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

void apply_numerics(const NumericsOptions& options, c10::Device device) {
  auto& context = at::globalContext();
  at::set_num_threads(options.threads);  // also switches MKL's dynamic thread count off
  if (device.is_cuda()) c10::cuda::set_device(device.index());
  if (options.mode == "fast") return;  // vendor defaults, whatever they are; they are read back
  // Results below 2^-126 would be zero or not by what else the process has loaded.
  keep_denormals();
  // warn_only true would leave flash and memory-efficient attention backward nondeterministic.
  context.setDeterministicAlgorithms(true, /*warn_only=*/false);
  // Filling every fresh tensor with NaN finds reads of unwritten memory, at a cost of up to 15 % of
  // a step; it changes no result of a program that has none.
  context.setDeterministicFillUninitializedMemory(false);
  context.setBenchmarkCuDNN(false);
  context.setDeterministicCuDNN(true);
  // TF32 has 10 bits of mantissa: a float32 case means float32.
  context.setFloat32MatmulPrecision("highest");
  if (device.is_cuda()) {
    // Partial sums in bfloat16 and split-K change with the algorithm that is picked. Only cuBLASLt
    // can be asked to do without split-K.
    context.setBlasPreferredBackend(at::BlasBackend::Cublaslt);
    context.setAllowBF16ReductionCuBLAS(false, false);
    context.setAllowFP16ReductionCuBLAS(false, false);
  }
}

nlohmann::json read_switches() {
  auto& context = at::globalContext();
  const auto reduction = [](at::CuBLASReductionOption option) {
    return option == at::CuBLASReductionOption::AllowReducedPrecisionWithSplitK ? "reduced, split-K"
           : option == at::CuBLASReductionOption::DisallowReducedPrecisionAllowSplitK
               ? "full, split-K"
               : "full, no split-K";
  };
  return {{"deterministic_algorithms", context.deterministicAlgorithms()},
          {"deterministic_warn_only", context.deterministicAlgorithmsWarnOnly()},
          {"fill_uninitialized_memory", context.deterministicFillUninitializedMemory()},
          {"cudnn_benchmark", context.benchmarkCuDNN()},
          {"cudnn_deterministic", context.deterministicCuDNN()},
          {"float32_matmul_precision",
           context.float32MatmulPrecision() == at::Float32MatmulPrecision::HIGHEST ? "highest"
           : context.float32MatmulPrecision() == at::Float32MatmulPrecision::HIGH  ? "high"
                                                                                   : "medium"},
          {"bf16_reduction", reduction(context.allowBF16ReductionCuBLAS())},
          {"fp16_reduction", reduction(context.allowFP16ReductionCuBLAS())},
          {"blas_backend", at::BlasBackendToString(context.blasPreferredBackend())},
          {"flush_denormal", denormals_are_flushed()},
          {"cpu_capability", at::get_cpu_capability()},
          {"threads", at::get_num_threads()}};
}

std::string arithmetic_id(const NumericsOptions& options) {
  return options.mode == "portable" ? "portable-f32/1" : "libtorch-" + options.dtype + "/1";
}

nlohmann::json numeric_environment() {
  auto result = nlohmann::json::object();
  for (const char* name : kNumericVariables) {
    if (const char* value = std::getenv(name)) result[name] = value;
  }
  return result;
}

}  // namespace twinrun::trainer
