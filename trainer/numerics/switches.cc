#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAFunctions.h>
#include <omp.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

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
  std::function<void(const json&)> set;  ///< empty: by another switch, or by the environment
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

/// What reduction_name() calls so: whether sums may be in 16 bits, and whether split-K is allowed.
std::pair<bool, bool> reduction_from(const json& name) {
  using Option = at::CuBLASReductionOption;
  const bool reduced = name == reduction_name(Option::AllowReducedPrecisionWithSplitK);
  return {reduced, reduced || name == reduction_name(Option::DisallowReducedPrecisionAllowSplitK)};
}

/// "Cublaslt".
std::string backend_name(at::BlasBackend backend) {
  const std::string name = at::BlasBackendToString(backend);
  return name.substr(name.rfind(':') + 1);
}

at::BlasBackend backend_from(const json& name) {
  using at::BlasBackend;
  return name == backend_name(BlasBackend::Cublaslt) ? BlasBackend::Cublaslt
         : name == backend_name(BlasBackend::Cublas) ? BlasBackend::Cublas
                                                     : BlasBackend::Default;
}

Switch float32_switch(const char* name, Float32Backend backend, Float32Op op, const char* reason) {
  return {name, "ieee", reason,
          [=] { return json(at::precision2str(context().float32Precision(backend, op))); },
          [=](const json& value) {
            context().setFloat32Precision(backend, op, at::str2precision(value));
          }};
}

void add_algorithms(Switches& list) {
  list.push_back(
      {"deterministic_algorithms", true,
       "every operation takes an implementation whose sums have one order, or throws; "
       "the backward of flash and memory-efficient attention asks this switch, too",
       [] { return json(context().deterministicAlgorithms()); },
       [](const json& on) { context().setDeterministicAlgorithms(on, /*warn_only=*/false); }});
  list.push_back({"deterministic_warn_only",
                  false,
                  "with warnings only, attention backward would keep its atomic additions",
                  [] { return json(context().deterministicAlgorithmsWarnOnly()); },
                  {}});
  list.push_back({"fill_uninitialized_memory", false,
                  "filling fresh memory with NaN costs up to 15 % of a step and changes no result",
                  [] { return json(context().deterministicFillUninitializedMemory()); },
                  [](const json& on) { context().setDeterministicFillUninitializedMemory(on); }});
  list.push_back({"flush_denormal", false,
                  "values below 2^-126 would become 0 or not, by what else the process has loaded",
                  [] { return json(denormals_are_flushed()); },
                  [](const json&) { keep_denormals(); }});
}

void add_float32(Switches& list) {
  // float32MatmulPrecision() is not asked: it throws where the two interfaces disagree.
  auto cublas = float32_switch("cuda_float32_matmul", Float32Backend::CUDA, Float32Op::MATMUL,
                               "TF32 has 10 bits of mantissa: a float32 case means float32");
  cublas.set = [](const json&) {
    context().setFloat32MatmulPrecision("highest");
  };  // of the old interface, too
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
                  [] { return json(omp_get_dynamic() != 0); },
                  [](const json& on) { omp_set_dynamic(on.get<bool>()); }});
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
                  [](const json& on) { context().setDeterministicMkldnn(on); }});
  list.push_back({"cpu_capability",
                  capability_of(options),
                  "another vector width sums in another order",
                  [] { return json(at::get_cpu_capability()); },
                  {}});
}

void add_cudnn_and_attention(Switches& list) {
  list.push_back({"cudnn_benchmark", false, "timing would choose the kernel",
                  [] { return json(context().benchmarkCuDNN()); },
                  [](const json& on) { context().setBenchmarkCuDNN(on); }});
  list.push_back({"cudnn_deterministic", true, "cuDNN would be free to add atomically",
                  [] { return json(context().deterministicCuDNN()); },
                  [](const json& on) { context().setDeterministicCuDNN(on); }});
  // The trainer calls the flash and the memory-efficient functions by name; this is for whatever
  // would choose. Of the four backends cuDNN's backward alone ignores deterministic_algorithms.
  list.push_back({"sdp_cudnn", false, "the backward of cuDNN's attention adds atomically",
                  [] { return json(context().userEnabledCuDNNSDP()); },
                  [](const json& on) { context().setSDPUseCuDNN(on); }});
  list.push_back({"sdp_math_reduced", false, "attention in plain operations would sum in 16 bits",
                  [] { return json(context().allowFP16BF16ReductionMathSDP()); },
                  [](const json& on) { context().setAllowFP16BF16ReductionMathSDP(on); }});
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
                  [](const json& name) { context().setBlasPreferredBackend(backend_from(name)); }});
  const char* const reason =
      "partial sums in 16 bits, and split-K, come and go with the kernel that is picked";
  list.push_back({"bf16_reduction", if_gpu("full, no split-K"), reason,
                  [] { return json(reduction_name(context().allowBF16ReductionCuBLAS())); },
                  [](const json& name) {
                    const auto [reduced, split_k] = reduction_from(name);
                    context().setAllowBF16ReductionCuBLAS(reduced, split_k);
                  }});
  list.push_back({"fp16_reduction", if_gpu("full, no split-K"), reason,
                  [] { return json(reduction_name(context().allowFP16ReductionCuBLAS())); },
                  [](const json& name) {
                    const auto [reduced, split_k] = reduction_from(name);
                    context().setAllowFP16ReductionCuBLAS(reduced, split_k);
                  }});
  list.push_back({"fp16_accumulation", if_gpu(false), "a sum in 16 bits depends on its tiles",
                  [] { return json(context().allowFP16AccumulationCuBLAS()); },
                  [](const json& on) { context().setAllowFP16AccumulationCuBLAS(on); }});
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

// Defaults that the environment decides, so that they cannot be read before it is fixed. cuBLAS
// gets a workspace from LibTorch in any case, of a size that depends on the GPU.
const json& default_of(const std::string& name, const json& found) {
  static const std::map<std::string, json> kByEnvironment = {{"mkl_cbwr", "OFF"},
                                                             {"cublas_workspace_bytes", nullptr}};
  const auto known = kByEnvironment.find(name);
  return known == kByEnvironment.end() ? found : known->second;
}

/// The name under which a switch is forced; empty if it is not: no operation of a step asks it, or
/// the default is what the mode needs.
std::string forced_as(const Switch& one, const NumericsOptions& options, bool on_gpu) {
  const std::string name = one.name;
  const bool bf16 = options.dtype == "bfloat16";
  // With any other backend LibTorch refuses to do without split-K: the two go together.
  if (name == "blas_backend") return !on_gpu ? "" : bf16 ? "bf16_reduction" : name;
  if (name == "bf16_reduction") return on_gpu && bf16 ? name : "";
  if (name == "cublas_workspace_bytes") return on_gpu ? name : "";
  if (name == "mkl_cbwr" || name == "onednn_deterministic") return on_gpu ? "" : name;
  if (name == "deterministic_algorithms" || name == "fill_uninitialized_memory") return name;
  return "";
}

/// What the switches were before this program set any: all of them, since a first call for one kind
/// of device is the only one that sees those of the other kind untouched.
const std::map<std::string, json>& library_defaults() {
  static const auto kDefaults = [] {
    std::map<std::string, json> values;
    const NumericsOptions any{.mode = "", .dtype = "", .device = "", .isa = ""};
    // What a GPU alone has is set by nobody.
    for (const auto& one : all_switches(any, c10::Device(c10::kCPU))) {
      if (one.set) values[one.name] = one.read();
    }
    return values;
  }();
  return kDefaults;
}

/// The value that `one` has to have; null: none, it is only recorded.
json target_of(const Switch& one, const NumericsOptions& options, c10::Device device) {
  const auto forced = options.forced.find(forced_as(one, options, device.is_cuda()));
  if (forced == options.forced.end()) return promises_bits(options) ? one.wanted : json();
  if (forced->second) return one.wanted;
  const auto found = library_defaults().find(one.name);
  return default_of(one.name, found == library_defaults().end() ? json() : found->second);
}

void require_forcible(const NumericsOptions& options, c10::Device device) {
  if (options.forced.empty()) return;
  std::string names;
  const auto known = bench_switches(options, device);
  for (const auto& one : known) names += (names.empty() ? "" : ", ") + one.name;
  for (const auto& [name, on] : options.forced) {
    if (std::ranges::any_of(known, [&](const auto& one) { return one.name == name; })) continue;
    throw NumericsError("the switch '" + name + "' cannot be forced with numerics " + options.mode +
                        " on " + device.str() + "; can be: " + (names.empty() ? "none" : names));
  }
}

}  // namespace

namespace {

/// MKL's vector functions find out about the CPU in their first call. Threads that make it together
/// may take two ways through them, with other bits (bench/vml_first_call): so one makes it alone.
void settle_vector_functions() { at::zeros({1}).cos_(); }

}  // namespace

void apply_numerics(const NumericsOptions& options, c10::Device device) {
  settle_vector_functions();
  library_defaults();
  require_forcible(options, device);
  if (options.shuffle_reductions && device.is_cuda()) {
    throw NumericsError("shuffle_reductions makes rounding noise on a CPU; " + device.str() +
                        " with numerics: fast has its own, so leave it out");
  }
  at::set_num_threads(options.threads);  // also MKL's, and switches MKL's dynamic number off
  if (device.is_cuda()) c10::cuda::set_device(device.index());
  // In `fast` the vendor defaults, whatever they are, unless they are forced; they are read back.
  for (const auto& one : all_switches(options, device)) {
    const json target = target_of(one, options, device);
    if (one.set && !target.is_null()) one.set(target);
  }
}

std::vector<SwitchState> read_switches(const NumericsOptions& options, c10::Device device) {
  std::vector<SwitchState> states;
  for (const auto& one : all_switches(options, device)) {
    states.push_back({one.name, one.read(), target_of(one, options, device), one.reason});
  }
  return states;
}

std::vector<BenchSwitch> bench_switches(const NumericsOptions& options, c10::Device device) {
  std::vector<BenchSwitch> list;
  if (options.mode == "portable") return list;  // it calls no library that has any
  NumericsOptions on = options, off = options;
  on.mode = off.mode = "deterministic";
  for (const auto& one : all_switches(on, device)) {
    const auto name = forced_as(one, on, device.is_cuda());
    if (name != one.name) continue;
    on.forced = {{name, true}};
    off.forced = {{name, false}};
    BenchSwitch found{name, one.reason, target_of(one, on, device), target_of(one, off, device)};
    if (!found.on.is_null() && found.on != found.off) list.push_back(std::move(found));
  }
  return list;
}

}  // namespace twinrun::trainer
