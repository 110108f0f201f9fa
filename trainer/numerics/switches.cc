#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAFunctions.h>
#include <omp.h>

#include <functional>

#include "trainer/numerics/denormals.h"
#include "trainer/numerics/loaded.h"
#include "trainer/numerics/numerics.h"
#include "trainer/numerics/variables.h"

namespace twinrun::trainer {
namespace {

using at::Float32Backend;
using at::Float32Op;
using at::Float32Precision;
using nlohmann::json;

/// A switch, the value that modes with a promise need, and how it is set and read.
struct Switch {
  const char* name;
  json wanted;  ///< null: not needed
  const char* reason;
  std::function<json()> read;
  std::function<void()> set;  ///< empty: by another switch, or by the environment
};
using Switches = std::vector<Switch>;

at::Context& context() { return at::globalContext(); }

const char* reduction_name(at::CuBLASReductionOption option) {
  switch (option) {
    case at::CuBLASReductionOption::AllowReducedPrecisionWithSplitK:
      return "reduced, split-K";
    case at::CuBLASReductionOption::DisallowReducedPrecisionAllowSplitK:
      return "full, split-K";
    default:
      return "full, no split-K";
  }
}

/// "Cublaslt".
std::string backend_name(at::BlasBackend backend) {
  const std::string name = at::BlasBackendToString(backend);
  return name.substr(name.rfind(':') + 1);
}

Switch float32_switch(const char* name, Float32Backend backend, Float32Op op, const char* reason) {
  return {name, "ieee", reason,
          [=] { return json(at::precision2str(context().float32Precision(backend, op))); },
          [=] { context().setFloat32Precision(backend, op, Float32Precision::IEEE); }};
}

void add_algorithms(Switches& list) {
  list.push_back({"deterministic_algorithms", true,
                  "every operation takes an implementation whose sums have one order, or throws; "
                  "the backward of flash and memory-efficient attention asks this switch, too",
                  [] { return json(context().deterministicAlgorithms()); },
                  [] { context().setDeterministicAlgorithms(true, /*warn_only=*/false); }});
  list.push_back({"deterministic_warn_only",
                  false,
                  "with warnings only, attention backward would keep its atomic additions",
                  [] { return json(context().deterministicAlgorithmsWarnOnly()); },
                  {}});
  list.push_back({"fill_uninitialized_memory", false,
                  "filling fresh memory with NaN costs up to 15 % of a step and changes no result",
                  [] { return json(context().deterministicFillUninitializedMemory()); },
                  [] { context().setDeterministicFillUninitializedMemory(false); }});
  list.push_back({"flush_denormal", false,
                  "values below 2^-126 would become 0 or not, by what else the process has loaded",
                  [] { return json(denormals_are_flushed()); }, keep_denormals});
}

void add_float32(Switches& list) {
  // float32MatmulPrecision() is not asked: it throws where the two interfaces disagree.
  auto cublas = float32_switch("cuda_float32_matmul", Float32Backend::CUDA, Float32Op::MATMUL,
                               "TF32 has 10 bits of mantissa: a float32 case means float32");
  cublas.set = [] { context().setFloat32MatmulPrecision("highest"); };  // of the old interface, too
  list.push_back(std::move(cublas));
  list.push_back(float32_switch("cudnn_float32_conv", Float32Backend::CUDA, Float32Op::CONV,
                                "cuDNN takes TF32 by default"));
  list.push_back(float32_switch("cudnn_float32_rnn", Float32Backend::CUDA, Float32Op::RNN,
                                "cuDNN takes TF32 by default"));
  list.push_back(float32_switch("onednn_float32_matmul", Float32Backend::MKLDNN, Float32Op::MATMUL,
                                "oneDNN must not round float32 products to bfloat16 or TF32"));
  list.push_back(float32_switch("onednn_float32_conv", Float32Backend::MKLDNN, Float32Op::CONV,
                                "oneDNN must not round float32 products to bfloat16 or TF32"));
}

json mkl_branch() {
  constexpr int kBranch = 1;  // MKL_CBWR_BRANCH: the setting without its flags
  const auto get = loaded<int(int)>("mkl_serv_cbwr_get");
  if (get == nullptr) return nullptr;
  const int branch = get(kBranch);
  return branch == 2   ? json("AUTO")
         : branch == 3 ? json("COMPATIBLE")
         : branch <= 1 ? json("OFF")
                       : json("branch " + std::to_string(branch));
}

json mkl_number(const char* name) {
  const auto get = loaded<int()>(name);
  return get == nullptr ? json() : json(get());
}

json capability_of(const NumericsOptions& options) {
  if (options.isa == "auto" || options.mode == "portable") return nullptr;
  return options.isa == "plain" ? "DEFAULT" : options.isa == "avx2" ? "AVX2" : "AVX512";
}

void add_cpu(Switches& list, const NumericsOptions& options) {
  const bool has_mkl = loaded<int()>("mkl_get_max_threads") != nullptr;
  const auto if_mkl = [&](json wanted) { return has_mkl ? std::move(wanted) : json(); };
  const char* const threads_reason = options.mode == "portable"
                                         ? "as the case says; no bit depends on it"
                                         : "the number of threads decides the order of sums";
  list.push_back(
      {"threads", options.threads, threads_reason, [] { return json(at::get_num_threads()); }, {}});
  list.push_back({"mkl_threads",
                  if_mkl(options.threads),
                  threads_reason,
                  [] { return mkl_number("mkl_get_max_threads"); },
                  {}});
  list.push_back({"omp_dynamic", false,
                  "the number of threads would follow the load of the machine",
                  [] { return json(omp_get_dynamic() != 0); }, [] { omp_set_dynamic(0); }});
  list.push_back({"mkl_dynamic",
                  if_mkl(false),
                  "MKL would take fewer threads where it thinks best",
                  [] {
                    const auto dynamic = mkl_number("mkl_serv_get_dynamic");
                    return dynamic.is_null() ? dynamic : json(dynamic != 0);
                  },
                  {}});
  list.push_back({"mkl_cbwr",
                  options.mode == "portable" ? json() : if_mkl("AUTO"),
                  "only in this mode does MKL promise one order of sums from run to run",
                  mkl_branch,
                  {}});
  list.push_back({"onednn_deterministic", true,
                  "oneDNN would be free to take kernels with atomic additions",
                  [] { return json(context().deterministicMkldnn()); },
                  [] { context().setDeterministicMkldnn(true); }});
  list.push_back({"cpu_capability",
                  capability_of(options),
                  "another vector width sums in another order",
                  [] { return json(at::get_cpu_capability()); },
                  {}});
}

void add_cudnn_and_attention(Switches& list) {
  list.push_back({"cudnn_benchmark", false, "timing would choose the kernel",
                  [] { return json(context().benchmarkCuDNN()); },
                  [] { context().setBenchmarkCuDNN(false); }});
  list.push_back({"cudnn_deterministic", true, "cuDNN would be free to add atomically",
                  [] { return json(context().deterministicCuDNN()); },
                  [] { context().setDeterministicCuDNN(true); }});
  // The trainer calls the flash and the memory-efficient functions by name; this is for whatever
  // would choose. Of the four backends cuDNN's backward alone ignores deterministic_algorithms.
  list.push_back({"sdp_cudnn", false, "the backward of cuDNN's attention adds atomically",
                  [] { return json(context().userEnabledCuDNNSDP()); },
                  [] { context().setSDPUseCuDNN(false); }});
  list.push_back({"sdp_math_reduced", false, "attention in plain operations would sum in 16 bits",
                  [] { return json(context().allowFP16BF16ReductionMathSDP()); },
                  [] { context().setAllowFP16BF16ReductionMathSDP(false); }});
}

/// Bytes of the workspace that CUBLAS_WORKSPACE_CONFIG asks for.
json workspace_of(const NumericsOptions& options) {
  if (options.mode == "portable") return nullptr;
  return variable("CUBLAS_WORKSPACE_CONFIG") == ":16:8" ? 16 * 8 * 1024 : 4096 * 8 * 1024;
}

void add_cublas(Switches& list, const NumericsOptions& options, bool on_gpu) {
  const auto if_gpu = [&](json wanted) { return on_gpu ? std::move(wanted) : json(); };
  list.push_back({"blas_backend", if_gpu(backend_name(at::BlasBackend::Cublaslt)),
                  "only cuBLASLt can be told to do without split-K",
                  [] { return json(backend_name(context().blasPreferredBackend())); },
                  [] { context().setBlasPreferredBackend(at::BlasBackend::Cublaslt); }});
  const char* const reason =
      "partial sums in 16 bits, and split-K, come and go with the kernel that is picked";
  list.push_back({"bf16_reduction", if_gpu("full, no split-K"), reason,
                  [] { return json(reduction_name(context().allowBF16ReductionCuBLAS())); },
                  [] { context().setAllowBF16ReductionCuBLAS(false, false); }});
  list.push_back({"fp16_reduction", if_gpu("full, no split-K"), reason,
                  [] { return json(reduction_name(context().allowFP16ReductionCuBLAS())); },
                  [] { context().setAllowFP16ReductionCuBLAS(false, false); }});
  list.push_back({"fp16_accumulation", if_gpu(false), "a sum in 16 bits depends on its tiles",
                  [] { return json(context().allowFP16AccumulationCuBLAS()); },
                  [] { context().setAllowFP16AccumulationCuBLAS(false); }});
  if (!on_gpu) return;  // the workspace is chosen by the device
  list.push_back({"cublas_workspace_bytes",
                  workspace_of(options),
                  "without a workspace of fixed size cuBLAS may choose another split",
                  [] { return json(at::cuda::getChosenWorkspaceSize()); },
                  {}});
  list.push_back({"cublaslt_workspace_bytes",
                  nullptr,
                  "",
                  [] { return json(at::cuda::getCUDABlasLtWorkspaceSize()); },
                  {}});
}

Switches all_switches(const NumericsOptions& options, c10::Device device) {
  Switches list;
  add_algorithms(list);
  add_float32(list);
  add_cpu(list, options);
  add_cudnn_and_attention(list);
  add_cublas(list, options, device.is_cuda());
  return list;
}

}  // namespace

void apply_numerics(const NumericsOptions& options, c10::Device device) {
  at::set_num_threads(options.threads);  // also MKL's, and switches MKL's dynamic number off
  if (device.is_cuda()) c10::cuda::set_device(device.index());
  if (!promises_bits(options)) return;  // vendor defaults, whatever they are; they are read back
  for (const auto& one : all_switches(options, device)) {
    if (one.set && !one.wanted.is_null()) one.set();
  }
}

std::vector<SwitchState> read_switches(const NumericsOptions& options, c10::Device device) {
  std::vector<SwitchState> states;
  for (const auto& one : all_switches(options, device)) {
    states.push_back(
        {one.name, one.read(), promises_bits(options) ? one.wanted : json(), one.reason});
  }
  return states;
}

}  // namespace twinrun::trainer
