#include "trainer/ops/dropout.h"

#include <array>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>

#include "trainer/data/philox.h"
#include "trainer/ops/dropout_cuda.h"

namespace twinrun::trainer {
namespace {

constexpr int kLanes = 16;  // Philox calls side by side: one AVX-512 register of counters
constexpr std::int64_t kLaneElements = 4 * kLanes;

struct Words {
  std::uint32_t w[4][kLanes];
};

/// 16 calls of philox4x32 with consecutive blocks, written over lanes so that the compiler
/// vectorises it; dropout_test compares it with philox4x32.
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void philox_lanes(
    std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key, Words& out) {
  std::uint32_t c0[kLanes], c1[kLanes], c2[kLanes], c3[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    c0[i] = counter[0];
    c1[i] = counter[1] + static_cast<std::uint32_t>(i);
    c2[i] = counter[2];
    c3[i] = counter[3];
  }
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < kLanes; ++i) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c0[i];
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * c2[i];
      c0[i] = static_cast<std::uint32_t>(p1 >> 32) ^ c1[i] ^ key[0];
      c1[i] = static_cast<std::uint32_t>(p1);
      c2[i] = static_cast<std::uint32_t>(p0 >> 32) ^ c3[i] ^ key[1];
      c3[i] = static_cast<std::uint32_t>(p0);
    }
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  for (int i = 0; i < kLanes; ++i) {
    out.w[0][i] = c0[i];
    out.w[1][i] = c1[i];
    out.w[2][i] = c2[i];
    out.w[3][i] = c3[i];
  }
}

/// y[i] = keep(i) ? x[i] scale : 0, or added to y[i].
template <typename T, bool kAdd>
void apply_range(T* y, const T* x, std::int64_t begin, std::int64_t end, const DropoutPlan& plan) {
  Words words;
  for (std::int64_t base = begin; base < end; base += kLaneElements) {
    auto counter = plan.counter;
    counter[1] = static_cast<std::uint32_t>(base / 4);
    philox_lanes(counter, plan.key, words);
    const auto count = std::min(kLaneElements, end - base);
    for (std::int64_t i = 0; i < count; ++i) {
      const bool keep = words.w[i & 3][i >> 2] >= plan.threshold;
      const float value = keep ? static_cast<float>(x[base + i]) * plan.scale : 0.0F;
      if constexpr (kAdd) {
        y[base + i] = static_cast<T>(static_cast<float>(y[base + i]) + value);
      } else {
        y[base + i] = static_cast<T>(value);
      }
    }
  }
}

template <typename T, bool kAdd>
void apply_typed(at::Tensor& y, const at::Tensor& x, const DropoutPlan& plan) {
  const auto* in = x.const_data_ptr<T>();
  auto* out = y.mutable_data_ptr<T>();
  const auto blocks = (x.numel() + kLaneElements - 1) / kLaneElements;
  at::parallel_for(0, blocks, 64, [&](std::int64_t begin, std::int64_t end) {
    apply_range<T, kAdd>(out, in, begin * kLaneElements,
                         std::min(end * kLaneElements, x.numel()), plan);
  });
}

template <bool kAdd>
void apply_cpu(at::Tensor& y, const at::Tensor& x, const DropoutPlan& plan) {
  if (x.scalar_type() == at::kFloat) return apply_typed<float, kAdd>(y, x, plan);
  TORCH_CHECK(x.scalar_type() == at::kBFloat16, "dropout of ", x.scalar_type());
  apply_typed<at::BFloat16, kAdd>(y, x, plan);
}

DropoutPlan plan_for(const at::Tensor& x, const DropoutKey& key) {
  TORCH_CHECK(key.p > 0 && key.p < 1, "dropout p must be in (0, 1), got ", key.p);
  TORCH_CHECK(x.is_contiguous(), "dropout needs a contiguous tensor");
  TORCH_CHECK(x.numel() / 4 < (std::int64_t{1} << 32), "dropout tensor too large: ", x.numel());
  DropoutPlan plan;
  plan.key = philox_key(key.seed);
  plan.counter = dropout_counter(key.layer, key.module, 0, key.step, key.micro_batch);
  plan.threshold = dropout_threshold(key.p);
  plan.scale = static_cast<float>(1.0 / (1.0 - key.p));
  return plan;
}

void apply_cuda(at::Tensor& y, const at::Tensor& x, const DropoutPlan& plan, bool add) {
  const auto stream = c10::cuda::getCurrentCUDAStream().stream();
  if (x.scalar_type() == at::kFloat) {
    C10_CUDA_CHECK(dropout_cuda_float32(y.mutable_data_ptr<float>(), x.const_data_ptr<float>(),
                                        x.numel(), plan, add, stream));
    return;
  }
  TORCH_CHECK(x.scalar_type() == at::kBFloat16, "dropout of ", x.scalar_type());
  C10_CUDA_CHECK(dropout_cuda_bfloat16(y.mutable_data_ptr(), x.const_data_ptr(), x.numel(), plan,
                                       add, stream));
}

}  // namespace

at::Tensor dropout(const at::Tensor& x, const DropoutKey& key) {
  const auto plan = plan_for(x, key);
  auto y = at::empty_like(x);
  if (x.is_cuda()) {
    apply_cuda(y, x, plan, /*add=*/false);
  } else {
    apply_cpu<false>(y, x, plan);
  }
  return y;
}

void dropout_add_(at::Tensor& y, const at::Tensor& x, const DropoutKey& key) {
  const auto plan = plan_for(x, key);
  TORCH_CHECK(y.is_contiguous() && y.sizes() == x.sizes(), "dropout_add_: y must match x");
  if (x.is_cuda()) {
    apply_cuda(y, x, plan, /*add=*/true);
  } else {
    apply_cpu<true>(y, x, plan);
  }
}

}  // namespace twinrun::trainer
