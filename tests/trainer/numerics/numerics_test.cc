#include "trainer/numerics/numerics.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>
#include <stdlib.h>
#include <xmmintrin.h>

#include <functional>
#include <stdexcept>

namespace twinrun::trainer {
namespace {

using ::testing::HasSubstr;

NumericsOptions options(const std::string& mode) {
  return {.mode = mode, .dtype = "float32", .device = "cpu", .isa = "auto", .threads = 2};
}

TEST(Numerics, EveryModeButFastPromisesBits) {
  EXPECT_FALSE(promises_bits(options("fast")));
  EXPECT_TRUE(promises_bits(options("deterministic")));
  EXPECT_TRUE(promises_bits(options("portable")));
}

TEST(Numerics, ArithmeticIsNamedByModeAndType) {
  EXPECT_EQ(arithmetic_id(options("fast")), "libtorch-float32/4");
  EXPECT_EQ(arithmetic_id(options("deterministic")), "libtorch-float32/4");
  EXPECT_EQ(arithmetic_id(options("portable")), "portable-f32/1");
}

/// The first switch that is not as `mode` needs it, or "none".
std::string complaint(const NumericsOptions& with) {
  try {
    require_as_wanted(read_switches(with, at::kCPU));
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "none";
}

TEST(Numerics, SwitchesReadBackAsSetInEveryModeThatPromises) {
  setenv("MKL_CBWR", "AUTO", 1);  // before MKL's first use in this process
  for (const char* mode : {"deterministic", "portable"}) {
    apply_numerics(options(mode), at::kCPU);
    _mm_setcsr(_mm_getcsr() | 0x8040);
    EXPECT_THAT(complaint(options(mode)), HasSubstr("flush_denormal")) << mode;
    apply_numerics(options(mode), at::kCPU);
    EXPECT_EQ(complaint(options(mode)), "none") << mode;
    EXPECT_EQ(_mm_getcsr() & 0x8040, 0u) << mode;
  }
}

TEST(Numerics, ASwitchThatWasMovedAfterwardsIsNamed) {
  setenv("MKL_CBWR", "AUTO", 1);
  auto& context = at::globalContext();
  const std::vector<std::pair<const char*, std::function<void()>>> moves = {
      {"deterministic_algorithms", [&] { context.setDeterministicAlgorithms(false, false); }},
      {"deterministic_warn_only", [&] { context.setDeterministicAlgorithms(true, true); }},
      {"fill_uninitialized_memory", [&] { context.setDeterministicFillUninitializedMemory(true); }},
      {"flush_denormal", [&] { at::globalContext().setFlushDenormal(true); }},
      {"cuda_float32_matmul",
       [&] {
         context.setFloat32Precision(at::Float32Backend::CUDA, at::Float32Op::MATMUL,
                                     at::Float32Precision::TF32);
       }},
      {"cudnn_float32_conv",
       [&] {
         context.setFloat32Precision(at::Float32Backend::CUDA, at::Float32Op::CONV,
                                     at::Float32Precision::TF32);
       }},
      {"onednn_float32_matmul",
       [&] {
         context.setFloat32Precision(at::Float32Backend::MKLDNN, at::Float32Op::MATMUL,
                                     at::Float32Precision::BF16);
       }},
      {"onednn_deterministic", [&] { context.setDeterministicMkldnn(false); }},
      {"threads", [&] { at::set_num_threads(3); }},
      {"omp_dynamic", [&] { omp_set_dynamic(1); }},
      {"cudnn_benchmark", [&] { context.setBenchmarkCuDNN(true); }},
      {"cudnn_deterministic", [&] { context.setDeterministicCuDNN(false); }},
      {"sdp_cudnn", [&] { context.setSDPUseCuDNN(true); }},
      {"sdp_math_reduced", [&] { context.setAllowFP16BF16ReductionMathSDP(true); }}};
  for (const auto& [name, move] : moves) {
    apply_numerics(options("deterministic"), at::kCPU);
    ASSERT_EQ(complaint(options("deterministic")), "none") << "before " << name;
    move();
    EXPECT_THAT(complaint(options("deterministic")),
                HasSubstr(std::string("switch ") + name + " "));
    EXPECT_EQ(complaint(options("fast")), "none") << name;
  }
  apply_numerics(options("deterministic"), at::kCPU);
}

TEST(Numerics, ASwitchThatCannotBeReadBackIsNoPromise) {
  EXPECT_THROW(require_as_wanted({{"a", nullptr, true, "why"}}), std::runtime_error);
  EXPECT_THROW(require_as_wanted({{"a", 1, 1, ""}, {"b", "x", "y", "why"}}), std::runtime_error);
  EXPECT_NO_THROW(require_as_wanted({{"a", 1, 1, ""}, {"b", "x", nullptr, ""}}));
  EXPECT_EQ(to_manifest({{"a", 1, 1, ""}, {"b", nullptr, nullptr, ""}}),
            nlohmann::json({{"a", 1}, {"b", nullptr}}));
}

// On a machine without a GPU the list is the same: nothing of it is asked of a device.
TEST(Numerics, TheDefaultsOfOneKindOfDeviceAreKnownThoughTheOtherCameFirst) {
  apply_numerics(options("deterministic"), at::kCPU);
  auto on_gpu = options("deterministic");
  on_gpu.dtype = "bfloat16";
  std::map<std::string, nlohmann::json> off;
  for (const auto& one : bench_switches(on_gpu, c10::Device(c10::kCUDA, 0)))
    off[one.name] = one.off;
  EXPECT_EQ(off.at("bf16_reduction"), "reduced, split-K");
  EXPECT_EQ(off.at("deterministic_algorithms"), false);
}

}  // namespace
}  // namespace twinrun::trainer
