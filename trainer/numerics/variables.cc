#include "trainer/numerics/variables.h"

#include <strings.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>

namespace twinrun::trainer {
namespace {

bool is_one_of(const std::string& value, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return ::strcasecmp(value.c_str(), word) == 0; });
}

/// The first number of a list as OpenMP takes it; 0 if it is none.
long leading_number(const std::string& value) { return std::strtol(value.c_str(), nullptr, 10); }

/// What a library's variable has to be for the case's `isa`; empty where that is `auto`.
std::string for_isa(const NumericsOptions& options, const char* plain, const char* avx2,
                    const char* avx512) {
  return options.isa == "plain"    ? plain
         : options.isa == "avx2"   ? avx2
         : options.isa == "avx512" ? avx512
                                   : "";
}

std::string aten_isa(const NumericsOptions& options) {
  return for_isa(options, "default", "avx2", "avx512");
}

std::string onednn_isa(const NumericsOptions& options) {
  return for_isa(options, "SSE41", "AVX2", "AVX512_CORE");
}

std::string mkl_isa(const NumericsOptions& options) {
  return for_isa(options, "SSE4_2", "AVX2", "AVX512");
}

bool never(const std::string&, const NumericsOptions&) { return false; }
bool always(const std::string&, const NumericsOptions&) { return true; }

bool zero(const std::string& value, const NumericsOptions&) { return value == "0"; }

bool off(const std::string& value, const NumericsOptions&) {
  return is_one_of(value, {"false", "0"});
}

bool strict(const std::string& value, const NumericsOptions&) {
  return is_one_of(value, {"strict"});
}

bool the_threads(const std::string& value, const NumericsOptions& options) {
  return leading_number(value) == options.threads;
}

bool enough_threads(const std::string& value, const NumericsOptions& options) {
  return leading_number(value) >= options.threads;
}

bool workspace(const std::string& value, const NumericsOptions&) {
  return value == ":4096:8" || value == ":16:8";
}

bool one_nccl_algorithm(const std::string& value, const NumericsOptions&) {
  return is_one_of(value, {"ring", "tree"});
}

bool automatic_branch(const std::string& value, const NumericsOptions&) {
  return is_one_of(value, {"auto", "branch=auto"});
}

// cpu.isa in the manifest is what ATen took, and runs with another one are not compared.
bool aten(const std::string& value, const NumericsOptions& options) {
  const auto wanted = aten_isa(options);
  return wanted.empty() || value == wanted;
}

bool onednn(const std::string& value, const NumericsOptions& options) {
  const auto wanted = onednn_isa(options);
  return wanted.empty() ? is_one_of(value, {"all", "default"}) : is_one_of(value, {wanted.c_str()});
}

bool mkl(const std::string& value, const NumericsOptions& options) {
  const auto wanted = mkl_isa(options);
  return !wanted.empty() && is_one_of(value, {wanted.c_str()});
}

// A fixed value of a variable repeats by itself. It is refused all the same where it changes bits
// and is no part of what makes two runs comparable: the run would not come out elsewhere.
constexpr Variable kVariables[] = {
    {"CUBLAS_WORKSPACE_CONFIG", ":4096:8 or :16:8", workspace,
     "without a workspace of fixed size cuBLAS may take another kernel on another call"},
    {"CUBLASLT_WORKSPACE_SIZE", "nothing", never,
     "the size of cuBLASLt's workspace decides which kernels it may take"},
    {"TORCH_CUBLASLT_UNIFIED_WORKSPACE", "nothing", never,
     "the size of cuBLASLt's workspace decides which kernels it may take"},
    {"CUBLASLT_HEURISTICS_LUT_FILE", "nothing", never,
     "cuBLASLt takes its kernels from that file instead of from its own rules"},
    {"DISABLE_ADDMM_CUDA_LT", "0", zero,
     "products with an addition leave cuBLASLt, which alone can be told to do without split-K"},
    {"PYTORCH_TUNABLEOP_ENABLED", "0", zero,
     "each run times the kernels and takes the fastest, so the clock decides the bits"},
    {"NVIDIA_TF32_OVERRIDE", "0", zero,
     "float32 products are rounded to TF32, 10 bits of mantissa, behind LibTorch's back"},
    {"TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "0", zero, "float32 products are rounded to TF32"},
    {"CUBLAS_EMULATE_SINGLE_PRECISION", "0", zero,
     "float32 products are put together from bfloat16 ones on GPUs that can"},
    {"NCCL_ALGO", "Ring or Tree", one_nccl_algorithm,
     "with NVLS or a choice by size the order of a sum over GPUs is not fixed"},
    {"OMP_NUM_THREADS", "the case's `threads`", the_threads,
     "it contradicts the case, and the number of threads decides the order of sums on a CPU"},
    {"MKL_NUM_THREADS", "the case's `threads`", the_threads,
     "it contradicts the case, and the number of threads decides the order of sums on a CPU"},
    {"MKL_DOMAIN_NUM_THREADS", "nothing", never,
     "it gives parts of MKL another number of threads than the case does"},
    {"OMP_THREAD_LIMIT", "the case's `threads` or more", enough_threads,
     "a sum gets fewer threads than the case says, so another order"},
    {"KMP_ALL_THREADS", "the case's `threads` or more", enough_threads,
     "where LD_PRELOAD brings Intel's OpenMP, a sum gets fewer threads than the case says"},
    {"KMP_DEVICE_THREAD_LIMIT", "the case's `threads` or more", enough_threads,
     "where LD_PRELOAD brings Intel's OpenMP, a sum gets fewer threads than the case says"},
    {"OMP_DYNAMIC", "FALSE", off,
     "the number of threads, and with it the order of sums, follows the load of the machine"},
    {"MKL_DYNAMIC", "FALSE", off,
     "MKL may take fewer threads than it was given, so another order of sums"},
    {"MKL_NUM_STRIPES", "nothing", never, "it cuts products into other parts, so sums differ"},
    {"MKL_CBWR", "AUTO", automatic_branch,
     "OFF allows sums in no fixed order, and every other branch has other bits than AUTO"},
    {"MKL_ENABLE_INSTRUCTIONS", "what the case's `isa` says", mkl,
     "MKL takes another code path, with other bits; `isa` in the case sets it everywhere"},
    {"ONEDNN_MAX_CPU_ISA", "what the case's `isa` says", onednn,
     "oneDNN takes another code path, with other bits; `isa` in the case sets it everywhere"},
    {"DNNL_MAX_CPU_ISA", "what the case's `isa` says", onednn,
     "oneDNN takes another code path, with other bits; `isa` in the case sets it everywhere"},
    {"ATEN_CPU_CAPABILITY", "what the case's `isa` says", aten,
     "ATen takes another code path than the case names"},
    {"ONEDNN_DEFAULT_FPMATH_MODE", "STRICT", strict,
     "oneDNN may compute float32 products in bfloat16 or TF32"},
    {"DNNL_DEFAULT_FPMATH_MODE", "STRICT", strict,
     "oneDNN may compute float32 products in bfloat16 or TF32"},
    {"TORCH_BLAS_PREFER_CUBLASLT", nullptr, always, "overridden: the trainer asks for cuBLASLt"},
    {"CUBLAS_EMULATION_STRATEGY", nullptr, always, "says how to emulate, not whether"},
    {"CUDA_LAUNCH_BLOCKING", nullptr, always, "slows every step and changes no bit"},
    {"PYTORCH_CUDA_ALLOC_CONF", nullptr, always, "where memory lies changes no bit"},
    {"PYTORCH_ALLOC_CONF", nullptr, always, "where memory lies changes no bit"},
    {"PYTORCH_NO_CUDA_MEMORY_CACHING", nullptr, always, "where memory lies changes no bit"},
    {"LD_PRELOAD", nullptr, always, "brings libraries of which the manifest knows no version"},
};

void set_unless_set(const char* name, const std::string& value) {
  if (!value.empty() && variable(name).empty()) ::setenv(name, value.c_str(), /*overwrite=*/1);
}

/// For the switch `name`: as the mode has it, or as it is forced.
void set_for_switch(const NumericsOptions& options, const char* name, bool by_mode,
                    const char* variable_name, const char* value) {
  const auto forced = options.forced.find(name);
  const bool on = forced == options.forced.end() ? by_mode : forced->second;
  if (on) {
    set_unless_set(variable_name, value);
  } else if (forced != options.forced.end()) {
    ::unsetenv(variable_name);
  }
}

}  // namespace

std::span<const Variable> numeric_variables() { return kVariables; }

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::optional<std::string> refusal(const Variable& row, const NumericsOptions& options) {
  const auto value = variable(row.name);
  if (value.empty() || row.is_fine(value, options)) return std::nullopt;
  return std::string(row.why) + "; unset it" +
         (row.is_fine == never ? "" : std::string(", or use ") + row.fine);
}

void set_environment(const NumericsOptions& options) {
  // Fixed sizes of blocks, a fixed schedule and deterministic sums, at the best code path; the same
  // bits and speed as without on the machines tried, but there they are not promised.
  set_for_switch(options, "mkl_cbwr", options.mode == "deterministic", "MKL_CBWR", "AUTO");
  if (options.mode != "portable") {  // which has code paths of its own, all with the same bits
    set_unless_set("ATEN_CPU_CAPABILITY", aten_isa(options));
    set_unless_set("ONEDNN_MAX_CPU_ISA", onednn_isa(options));
    set_unless_set("MKL_ENABLE_INSTRUCTIONS", mkl_isa(options));
  }
  // One workspace a handle and stream: without it cuBLAS may choose another split on another call.
  set_for_switch(options, "cublas_workspace_bytes", promises_bits(options),
                 "CUBLAS_WORKSPACE_CONFIG", ":4096:8");
}

void prepare_environment(const NumericsOptions& options) {
  if (options.mode == "deterministic") {
    for (const auto& row : kVariables) {
      const auto broken = refusal(row, options);
      if (!broken) continue;
      throw NumericsError(std::string(row.name) + "=" + variable(row.name) +
                          " in the environment breaks what `deterministic` promises: " + *broken);
    }
  }
  set_environment(options);
}

nlohmann::json numeric_environment() {
  auto result = nlohmann::json::object();
  for (const auto& row : kVariables) {
    if (const char* value = std::getenv(row.name)) result[row.name] = value;
  }
  return result;
}

}  // namespace twinrun::trainer
