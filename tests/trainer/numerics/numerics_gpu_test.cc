// The switches that only a GPU can be asked about. Label `gpu`.

#include <ATen/Context.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "trainer/numerics/numerics.h"
#include "trainer/numerics/variables.h"

namespace twinrun::trainer {
namespace {

using ::testing::HasSubstr;

std::string complaint(const NumericsOptions& options) {
  try {
    require_as_wanted(read_switches(options, resolve_device(options.device)));
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "none";
}

TEST(GpuNumerics, SwitchesReadBackAsSetAndAMovedOneIsNamed) {
  for (const auto& row : numeric_variables()) unsetenv(row.name);
  auto& context = at::globalContext();
  const std::vector<std::pair<const char*, std::function<void()>>> moves = {
      {"blas_backend", [&] { context.setBlasPreferredBackend(at::BlasBackend::Cublas); }},
      {"bf16_reduction", [&] { context.setAllowBF16ReductionCuBLAS(true, true); }},
      {"fp16_reduction", [&] { context.setAllowFP16ReductionCuBLAS(false, true); }},
      {"fp16_accumulation", [&] { context.setAllowFP16AccumulationCuBLAS(true); }}};
  // Not `deterministic`: MKL_CBWR comes too late where an earlier test has used MKL.
  const NumericsOptions options{
      .mode = "portable", .dtype = "float32", .device = "cuda", .isa = "auto", .threads = 2};
  prepare_environment(options);
  const auto device = resolve_device(options.device);
  for (const auto& [name, move] : moves) {
    apply_numerics(options, device);
    EXPECT_EQ(complaint(options), "none") << "before " << name;
    move();
    EXPECT_THAT(complaint(options), HasSubstr(std::string("switch ") + name + " "));
  }
  apply_numerics(options, device);
}

}  // namespace
}  // namespace twinrun::trainer
