#include "trainer/ops/dropout.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>

#include <array>
#include <cmath>

#include "trainer/data/philox.h"
#include "trainer/ops/dropout_cuda.h"

namespace twinrun::trainer {
namespace {

constexpr int kLanes = 16;  // Philox calls side by side
constexpr std::int64_t kLaneElements = 4 * kLanes;

/// The factors of 64 elements from `plan.counter` on: scale where the mask keeps, 0 elsewhere. That
/// is philox4x32 over lanes, in words of 64 bits whose high half stays zero: so g++ turns each
/// product into one vpmuludq. dropout_test compares it with philox4x32.
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void mask_factors(
    const DropoutPlan& plan, std::uint32_t block, float* factors) {
  constexpr std::uint64_t kLow = 0xFFFFFFFF;
  std::uint64_t c0[kLanes], c1[kLanes], c2[kLanes], c3[kLanes], k0 = plan.key[0], k1 = plan.key[1];
  for (int i = 0; i < kLanes; ++i) {
    c0[i] = plan.counter[0];
    c1[i] = block + static_cast<std::uint32_t>(i);
    c2[i] = plan.counter[2];
    c3[i] = plan.counter[3];
  }
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < kLanes; ++i) {
      const std::uint64_t p0 = 0xD2511F53 * (c0[i] & kLow);
      const std::uint64_t p1 = 0xCD9E8D57 * (c2[i] & kLow);
      c0[i] = (p1 >> 32) ^ c1[i] ^ k0;
      c1[i] = p1 & kLow;
      c2[i] = (p0 >> 32) ^ c3[i] ^ k1;
      c3[i] = p0 & kLow;
    }
    k0 = (k0 + 0x9E3779B9) & kLow;
    k1 = (k1 + 0xBB67AE85) & kLow;
  }
  std::uint32_t draws[kLaneElements];
  for (int i = 0; i < kLanes; ++i) {
    draws[4 * i] = static_cast<std::uint32_t>(c0[i]);
    draws[4 * i + 1] = static_cast<std::uint32_t>(c1[i]);
    draws[4 * i + 2] = static_cast<std::uint32_t>(c2[i]);
    draws[4 * i + 3] = static_cast<std::uint32_t>(c3[i]);
  }
  for (int i = 0; i < kLaneElements; ++i) {
    factors[i] = draws[i] >= plan.threshold ? plan.scale : 0.0F;
  }
}

/// y[i] = keep(i) ? x[i] scale : 0, or added to y[i]. A select, not a product with 0: that would
/// make -0 and NaN out of what is dropped.
template <typename T, bool kAdd>
void apply_range(T* y, const T* x, std::int64_t begin, std::int64_t end, const DropoutPlan& plan) {
  float factors[kLaneElements];
  for (std::int64_t base = begin; base < end; base += kLaneElements) {
    mask_factors(plan, static_cast<std::uint32_t>(base / 4), factors);
    const auto count = std::min(kLaneElements, end - base);
    for (std::int64_t i = 0; i < count; ++i) {
      const float value = static_cast<float>(x[base + i]) * factors[i];
      const float kept = factors[i] != 0.0F ? value : 0.0F;
      if constexpr (kAdd) {
        y[base + i] = static_cast<T>(static_cast<float>(y[base + i]) + kept);
      } else {
        y[base + i] = static_cast<T>(kept);
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
    apply_range<T, kAdd>(out, in, begin * kLaneElements, std::min(end * kLaneElements, x.numel()),
                         plan);
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

/// The bits of `mask`, which is made if it is there to be written; empty: none are kept.
DropoutMask mask_for(const at::Tensor& x, at::Tensor* mask) {
  if (mask == nullptr) return {};
  const bool read = mask->defined();
  const auto bytes = (x.numel() + 7) / 8;
  if (!read) *mask = at::empty({bytes}, x.options().dtype(at::kByte));
  TORCH_CHECK(mask->numel() == bytes && mask->is_cuda(), "a dropout mask of another tensor");
  return {mask->mutable_data_ptr<std::uint8_t>(), read};
}

void apply_cuda(at::Tensor& y, const at::Tensor& x, const DropoutPlan& plan,
                const DropoutMask& mask, bool add) {
  const auto stream = c10::cuda::getCurrentCUDAStream().stream();
  if (x.scalar_type() == at::kFloat) {
    C10_CUDA_CHECK(dropout_cuda_float32(y.mutable_data_ptr<float>(), x.const_data_ptr<float>(),
                                        x.numel(), plan, mask, add, stream));
    return;
  }
  TORCH_CHECK(x.scalar_type() == at::kBFloat16, "dropout of ", x.scalar_type());
  C10_CUDA_CHECK(dropout_cuda_bfloat16(y.mutable_data_ptr(), x.const_data_ptr(), x.numel(), plan,
                                       mask, add, stream));
}

}  // namespace

at::Tensor dropout(const at::Tensor& x, const DropoutKey& key, at::Tensor* mask) {
  const auto plan = plan_for(x, key);
  auto y = at::empty_like(x);
  if (x.is_cuda()) {
    apply_cuda(y, x, plan, mask_for(x, mask), /*add=*/false);
  } else {
    apply_cpu<false>(y, x, plan);
  }
  return y;
}

void dropout_add_(at::Tensor& y, const at::Tensor& x, const DropoutKey& key,
                  const at::Tensor& mask) {
  const auto plan = plan_for(x, key);
  TORCH_CHECK(y.is_contiguous() && y.sizes() == x.sizes(), "dropout_add_: y must match x");
  if (x.is_cuda()) {
    auto bits = mask;
    apply_cuda(y, x, plan, mask_for(x, mask.defined() ? &bits : nullptr), /*add=*/true);
  } else {
    apply_cpu<true>(y, x, plan);
  }
}

}  // namespace twinrun::trainer
