#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "trainer/ops/op_set.h"
#include "trainer/ops/portable/portable_ops.h"
#include "trainer/ops/torch/torch_ops.h"

namespace twinrun::trainer {

/// |a - b| <= relative x the largest |b|, which must not be zero; no NaN. The default suits float32
/// sums of some hundred terms.
inline testing::AssertionResult close(const at::Tensor& a, const at::Tensor& b,
                                      double relative = 2e-5) {
  if (a.sizes() != b.sizes())
    return testing::AssertionFailure() << a.sizes() << " against " << b.sizes();
  const auto difference = (a - b).abs().max().item<double>();
  const auto scale = b.abs().max().item<double>();
  if (difference <= relative * scale && scale > 0) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "difference " << difference << " at scale " << scale;
}

inline at::Tensor leaf(at::IntArrayRef shape) { return at::randn(shape).set_requires_grad(true); }

/// Every implementation of the op set; the portable one with each kind of CPU kernel.
class OpsTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    at::manual_seed(1);
    const std::string name = GetParam();
    if (name == "Torch") return;
    const auto isa = name == "PortableAvx512" ? Isa::kAvx512
                     : name == "PortableAvx2" ? Isa::kAvx2
                                              : Isa::kPlain;
    ops_ = make_portable_ops(isa);
  }
  std::unique_ptr<OpSet> ops_ = make_torch_ops();
};

inline std::vector<const char*> names_of_op_sets() {
  std::vector<const char*> names = {"Torch", "PortablePlain"};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    names.push_back("PortableAvx2");
  }
  if (__builtin_cpu_supports("avx512bw")) names.push_back("PortableAvx512");
  return names;
}

}  // namespace twinrun::trainer
