#include "trainer/numerics/variables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <map>
#include <vector>

namespace twinrun::trainer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

NumericsOptions options(const std::string& mode, const std::string& isa = "auto") {
  return {.mode = mode, .dtype = "float32", .device = "cpu", .isa = isa, .threads = 4};
}

/// Clears every variable of the table and puts it back at the end.
class Variables : public ::testing::Test {
 protected:
  Variables() {
    for (const auto& row : numeric_variables()) {
      if (const char* value = getenv(row.name)) before_[row.name] = value;
      unsetenv(row.name);
    }
  }
  ~Variables() override {
    for (const auto& row : numeric_variables()) {
      unsetenv(row.name);
      if (before_.count(row.name) > 0) setenv(row.name, before_[row.name].c_str(), 1);
    }
  }

  /// The error of prepare_environment with name=value, or "none"; leaves nothing set.
  std::string error_with(const std::string& name, const std::string& value,
                         const NumericsOptions& with) {
    setenv(name.c_str(), value.c_str(), 1);
    std::string message = "none";
    try {
      prepare_environment(with);
    } catch (const NumericsError& error) {
      message = error.what();
    }
    for (const auto& row : numeric_variables()) unsetenv(row.name);
    return message;
  }

 private:
  std::map<std::string, std::string> before_;
};

struct Example {
  const char* name;
  std::vector<const char*> fine, broken;
};

const std::vector<Example> kExamples = {
    {"CUBLAS_WORKSPACE_CONFIG", {":4096:8", ":16:8"}, {":0:0", ":4096:2:16:8", ":4096:8 "}},
    {"CUBLASLT_WORKSPACE_SIZE", {}, {"0", "1024"}},
    {"TORCH_CUBLASLT_UNIFIED_WORKSPACE", {}, {"0", "1"}},
    {"CUBLASLT_HEURISTICS_LUT_FILE", {}, {"/tmp/table"}},
    {"DISABLE_ADDMM_CUDA_LT", {"0"}, {"1"}},
    {"PYTORCH_TUNABLEOP_ENABLED", {"0"}, {"1"}},
    {"NVIDIA_TF32_OVERRIDE", {"0"}, {"1"}},
    {"TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", {"0"}, {"1"}},
    {"CUBLAS_EMULATE_SINGLE_PRECISION", {"0"}, {"1"}},
    {"NCCL_ALGO", {"Ring", "tree"}, {"NVLS", "^Ring", "Ring,Tree", "allreduce:nvls"}},
    {"OMP_NUM_THREADS", {"4", "4,2"}, {"1", "8", "40", "four"}},
    {"MKL_NUM_THREADS", {"4"}, {"1", "8", "x"}},
    {"MKL_DOMAIN_NUM_THREADS", {}, {"MKL_BLAS=2"}},
    {"OMP_THREAD_LIMIT", {"4", "64"}, {"3", "1"}},
    {"KMP_ALL_THREADS", {"4"}, {"2"}},
    {"KMP_DEVICE_THREAD_LIMIT", {"4"}, {"2"}},
    {"OMP_DYNAMIC", {"FALSE", "false", "0"}, {"TRUE", "true", "1"}},
    {"MKL_DYNAMIC", {"FALSE", "0"}, {"TRUE", "1"}},
    {"MKL_NUM_STRIPES", {}, {"2"}},
    {"MKL_CBWR", {"AUTO", "BRANCH=AUTO"}, {"OFF", "COMPATIBLE", "AVX2", "AUTO,STRICT"}},
    {"MKL_ENABLE_INSTRUCTIONS", {}, {"AVX2", "AVX512"}},
    {"ONEDNN_MAX_CPU_ISA", {"ALL", "default"}, {"AVX2", "SSE41"}},
    {"DNNL_MAX_CPU_ISA", {"ALL"}, {"AVX2"}},
    {"ATEN_CPU_CAPABILITY", {"avx2", "default"}, {}},
    {"ONEDNN_DEFAULT_FPMATH_MODE", {"STRICT", "strict"}, {"BF16", "TF32", "ANY"}},
    {"DNNL_DEFAULT_FPMATH_MODE", {"strict"}, {"bf16"}},
    {"TORCH_BLAS_PREFER_CUBLASLT", {"0", "1"}, {}},
    {"CUBLAS_EMULATION_STRATEGY", {"eager"}, {}},
    {"CUDA_LAUNCH_BLOCKING", {"1"}, {}},
    {"PYTORCH_CUDA_ALLOC_CONF", {"expandable_segments:True"}, {}},
    {"PYTORCH_ALLOC_CONF", {"expandable_segments:True"}, {}},
    {"PYTORCH_NO_CUDA_MEMORY_CACHING", {"1"}, {}},
    {"LD_PRELOAD", {"libjemalloc.so"}, {}},
};

TEST_F(Variables, EveryRowHasAnExample) {
  std::vector<std::string> rows, examples;
  for (const auto& row : numeric_variables()) rows.push_back(row.name);
  for (const auto& example : kExamples) examples.push_back(example.name);
  EXPECT_EQ(rows, examples);
}

TEST_F(Variables, DeterministicRefusesByNameWithTheReasonAndTakesWhatIsFine) {
  for (std::size_t i = 0; i < kExamples.size(); ++i) {
    const auto& row = numeric_variables()[i];
    for (const char* value : kExamples[i].broken) {
      EXPECT_THAT(error_with(row.name, value, options("deterministic")),
                  AllOf(HasSubstr(std::string(row.name) + "=" + value + " "), HasSubstr(row.why),
                        HasSubstr("; unset it")));
    }
    for (const char* value : kExamples[i].fine) {
      EXPECT_EQ(error_with(row.name, value, options("deterministic")), "none") << row.name << value;
    }
  }
}

TEST_F(Variables, FastAndPortableRefuseNothing) {
  for (const auto& example : kExamples) {
    for (const char* value : example.broken) {
      for (const char* mode : {"fast", "portable"}) {
        EXPECT_EQ(error_with(example.name, value, options(mode, "avx2")), "none") << example.name;
      }
    }
  }
}

TEST_F(Variables, IsaOfTheCaseIsDemandedOfEveryLibrary) {
  const std::map<std::string, std::vector<std::string>> by_isa = {
      {"plain", {"default", "SSE41", "SSE4_2"}},
      {"avx2", {"avx2", "AVX2", "AVX2"}},
      {"avx512", {"avx512", "AVX512_CORE", "AVX512"}}};
  const std::vector<const char*> names = {"ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA",
                                          "MKL_ENABLE_INSTRUCTIONS"};
  for (const auto& [isa, values] : by_isa) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      EXPECT_EQ(error_with(names[i], values[i], options("deterministic", isa)), "none");
      EXPECT_THAT(error_with(names[i], "AVX", options("deterministic", isa)), HasSubstr(names[i]));
    }
    EXPECT_THAT(error_with("DNNL_MAX_CPU_ISA", "AVX", options("deterministic", isa)),
                HasSubstr("`isa`"));
    for (const char* mode : {"deterministic", "fast"}) {
      prepare_environment(options(mode, isa));
      for (std::size_t i = 0; i < names.size(); ++i) {
        EXPECT_EQ(variable(names[i]), values[i]) << mode;
        unsetenv(names[i]);
      }
    }
    prepare_environment(options("portable", isa));
    for (const char* name : names) EXPECT_EQ(variable(name), "") << name;
  }
}

TEST_F(Variables, DefaultsAreSetOnlyWhereNothingIs) {
  prepare_environment(options("fast"));
  EXPECT_EQ(numeric_environment(), nlohmann::json::object());
  prepare_environment(options("portable"));
  EXPECT_EQ(numeric_environment(), nlohmann::json({{"CUBLAS_WORKSPACE_CONFIG", ":4096:8"}}));
  setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8", 1);
  prepare_environment(options("deterministic"));
  EXPECT_EQ(numeric_environment(),
            nlohmann::json({{"CUBLAS_WORKSPACE_CONFIG", ":16:8"}, {"MKL_CBWR", "AUTO"}}));
}

TEST_F(Variables, EveryOneThatIsSetIsRecorded) {
  for (const auto& row : numeric_variables()) {
    setenv(row.name, "x", 1);
    EXPECT_EQ(numeric_environment(), nlohmann::json({{row.name, "x"}}));
    unsetenv(row.name);
  }
}

}  // namespace
}  // namespace twinrun::trainer
