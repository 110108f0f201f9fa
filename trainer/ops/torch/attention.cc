// In float32 the default layout takes the functions that ATen picks from, by name. Segments,
// windows and bfloat16 take what lies below those: the kernels know all of these, and flash grouped
// heads as well. Every GPU function asks at::globalContext() for
// deterministicAlgorithms(): flash then orders its additions to dq, memory-efficient does not split
// the keys. The one for the CPU has one writer an element.

#include "trainer/ops/torch/attention.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <optional>
#include <tuple>
#include <vector>

namespace twinrun::trainer {
namespace {

/// k or v of K heads as H heads, each repeated for the queries of its group.
at::Tensor expand_heads(const at::Tensor& x_BKTE, std::int64_t heads) {
  const auto groups = heads / x_BKTE.size(1);
  if (groups == 1) return x_BKTE;
  return x_BKTE.unsqueeze(2)
      .expand({x_BKTE.size(0), x_BKTE.size(1), groups, x_BKTE.size(2), x_BKTE.size(3)})
      .reshape({x_BKTE.size(0), heads, x_BKTE.size(2), x_BKTE.size(3)});
}

/// The gradient of expand_heads: the sum over the heads of a group, ascending.
at::Tensor sum_heads(const at::Tensor& dx_BHTE, std::int64_t kv_heads) {
  const auto groups = dx_BHTE.size(1) / kv_heads;
  if (groups == 1) return dx_BHTE;
  const auto grouped =
      dx_BHTE.reshape({dx_BHTE.size(0), kv_heads, groups, dx_BHTE.size(2), dx_BHTE.size(3)});
  auto sum = grouped.select(2, 0).to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  for (std::int64_t g = 1; g < groups; ++g) sum.add_(grouped.select(2, g));
  return sum.to(dx_BHTE.scalar_type());
}

bool is_default(const AttentionLayout& layout) {
  return layout.segments.empty() && layout.window == 0;
}

using Grads = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

// The CPU: a call a segment, and for a window an additive mask.

std::vector<Segment> segments_of(const AttentionLayout& layout, std::int64_t length) {
  return layout.segments.empty() ? std::vector<Segment>{{0, length}} : layout.segments;
}

/// [T, T]: -infinity at the keys before the window of each query, else 0.
std::optional<at::Tensor> window_mask(const AttentionLayout& layout, std::int64_t length,
                                      const at::Tensor& like) {
  if (layout.window == 0 || layout.window >= length) return std::nullopt;
  const auto hidden = at::ones({length, length}, at::kBool).tril(-layout.window);
  return at::zeros({length, length}, like.options())
      .masked_fill_(hidden, -std::numeric_limits<double>::infinity());
}

/// Of tensors [1, H, t, E] or [1, H, t] one along t, in the layout [1, t, H, ..] of the kernel.
at::Tensor joined(const std::vector<at::Tensor>& parts) {
  if (parts.size() == 1) return parts.front();
  std::vector<at::Tensor> turned;
  turned.reserve(parts.size());
  for (const auto& part : parts) turned.push_back(part.transpose(1, 2));
  return at::cat(turned, 1).transpose(1, 2);
}

AttentionOutput cpu_forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const AttentionLayout& layout) {
  std::vector<at::Tensor> o, lse;
  for (const auto& s : segments_of(layout, q.size(2))) {
    const auto part = [&](const at::Tensor& x) { return x.narrow(2, s.begin, s.length); };
    auto [o_part, lse_part] = at::_scaled_dot_product_flash_attention_for_cpu(
        part(q), part(k), part(v), 0.0, true, window_mask(layout, s.length, q));
    o.push_back(o_part);
    lse.push_back(lse_part);
  }
  return {joined(o), joined(lse), {}, {}};
}

Grads cpu_backward(const at::Tensor& dout, const at::Tensor& q, const at::Tensor& k,
                   const at::Tensor& v, const AttentionOutput& saved,
                   const AttentionLayout& layout) {
  std::vector<at::Tensor> dq, dk, dv;
  for (const auto& s : segments_of(layout, q.size(2))) {
    const auto part = [&](const at::Tensor& x) { return x.narrow(2, s.begin, s.length); };
    auto [dq_part, dk_part, dv_part] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
        part(dout), part(q), part(k), part(v), part(saved.o_BHTE), part(saved.logsumexp), 0.0, true,
        window_mask(layout, s.length, q));
    dq.push_back(dq_part);
    dk.push_back(dk_part);
    dv.push_back(dv_part);
  }
  return {joined(dq), joined(dk), joined(dv)};
}

// A GPU: the kernels take [B, T, H, E], segments as their bounds, and the size of a window.

std::optional<at::Tensor> bounds_of(const AttentionLayout& layout) {
  if (layout.segments.empty()) return std::nullopt;
  return layout.bounds_S1;
}

constexpr std::int64_t kCausalFromTopLeft = 1;

std::optional<std::int64_t> efficient_window(const AttentionLayout& layout) {
  if (layout.window == 0) return std::nullopt;
  return layout.window;
}

AttentionOutput efficient_forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                  const AttentionLayout& layout) {
  const auto bounds = bounds_of(layout);
  auto [o, lse, seed, offset, longest_q, longest_k] = at::_efficient_attention_forward(
      q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), /*bias=*/std::nullopt, bounds,
      bounds, layout.longest, layout.longest, 0.0, kCausalFromTopLeft,
      /*compute_log_sumexp=*/true, /*scale=*/std::nullopt, /*seqlen_k=*/std::nullopt,
      efficient_window(layout));
  return {o.transpose(1, 2), lse, seed, offset};
}

Grads efficient_backward(const at::Tensor& dout, const at::Tensor& q, const at::Tensor& k,
                         const at::Tensor& v, const AttentionOutput& saved,
                         const AttentionLayout& layout) {
  const auto bounds = bounds_of(layout);
  auto [dq, dk, dv, dbias] = at::_efficient_attention_backward(
      dout.transpose(1, 2), q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2),
      /*bias=*/std::nullopt, saved.o_BHTE.transpose(1, 2), bounds, bounds, layout.longest,
      layout.longest, saved.logsumexp, 0.0, saved.philox_seed, saved.philox_offset,
      kCausalFromTopLeft, /*bias_requires_grad=*/false, /*scale=*/std::nullopt,
      /*num_splits_key=*/std::nullopt, efficient_window(layout));
  return {dq.transpose(1, 2), dk.transpose(1, 2), dv.transpose(1, 2)};
}

/// How flash attention takes a layout: [B, T, H, E], with segments [N, H, E], and heads of a
/// multiple of eight elements, the ones behind E zero: they change no score and no output.
class FlashCall {
 public:
  FlashCall(const AttentionLayout& layout, std::int64_t size)
      : layout_(layout), size_(size), scale_(1 / std::sqrt(static_cast<double>(size))) {}

  at::Tensor in(const at::Tensor& x_BHTE) const {
    constexpr std::int64_t kMultiple = 8;
    const auto rest = (kMultiple - size_ % kMultiple) % kMultiple;
    auto x = x_BHTE.transpose(1, 2);
    if (rest > 0) x = at::constant_pad_nd(x, {0, rest});
    return layout_.segments.empty() ? x : x.squeeze(0);
  }
  at::Tensor out(const at::Tensor& x) const {
    const auto x_BTHE = layout_.segments.empty() ? x : x.unsqueeze(0);
    return x_BTHE.narrow(-1, 0, size_).transpose(1, 2);
  }

  std::optional<std::int64_t> left() const {
    if (layout_.window == 0) return std::nullopt;
    return layout_.window - 1;
  }
  std::optional<std::int64_t> right() const {
    if (layout_.window == 0) return std::nullopt;
    return 0;
  }
  double scale() const { return scale_; }

 private:
  const AttentionLayout& layout_;
  std::int64_t size_;
  double scale_;
};

AttentionOutput flash_forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              const AttentionLayout& layout) {
  const FlashCall call(layout, q.size(-1));
  const auto bounds = bounds_of(layout);
  auto [o, lse, seed, offset, debug] = at::_flash_attention_forward(
      call.in(q), call.in(k), call.in(v), bounds, bounds, layout.longest, layout.longest, 0.0,
      /*is_causal=*/true, /*return_debug_mask=*/false, call.scale(), call.left(), call.right());
  return {call.out(o), lse, seed, offset};
}

Grads flash_backward(const at::Tensor& dout, const at::Tensor& q, const at::Tensor& k,
                     const at::Tensor& v, const AttentionOutput& saved,
                     const AttentionLayout& layout) {
  const FlashCall call(layout, q.size(-1));
  auto [dq, dk, dv] = at::_flash_attention_backward(
      call.in(dout), call.in(q), call.in(k), call.in(v), call.in(saved.o_BHTE), saved.logsumexp,
      layout.bounds_S1, layout.bounds_S1, layout.longest, layout.longest, 0.0, /*is_causal=*/true,
      saved.philox_seed, saved.philox_offset, call.scale(), call.left(), call.right());
  return {call.out(dq), call.out(dk), call.out(dv)};
}

}  // namespace

AttentionOutput torch_attention(const at::Tensor& q_BHTE, const at::Tensor& k_BKTE,
                                const at::Tensor& v_BKTE, const AttentionLayout& layout) {
  const bool is_float = q_BHTE.scalar_type() == at::kFloat;  // flash takes half precision only
  if (q_BHTE.is_cuda() && !is_float) return flash_forward(q_BHTE, k_BKTE, v_BKTE, layout);
  const auto k = expand_heads(k_BKTE, q_BHTE.size(1));
  const auto v = expand_heads(v_BKTE, q_BHTE.size(1));
  if (!q_BHTE.is_cuda()) return cpu_forward(q_BHTE, k, v, layout);
  if (!is_default(layout)) return efficient_forward(q_BHTE, k, v, layout);
  auto [o, lse, seed, offset] = at::_scaled_dot_product_efficient_attention(
      q_BHTE, k, v, /*attn_bias=*/std::nullopt, /*compute_log_sumexp=*/true, 0.0, true);
  return {o, lse, seed, offset};
}

AttentionGrads torch_attention_backward(const at::Tensor& do_BHTE, const at::Tensor& q_BHTE,
                                        const at::Tensor& k_BKTE, const at::Tensor& v_BKTE,
                                        const AttentionOutput& saved,
                                        const AttentionLayout& layout) {
  at::Tensor dq, dk, dv;
  if (q_BHTE.is_cuda() && q_BHTE.scalar_type() != at::kFloat) {
    std::tie(dq, dk, dv) = flash_backward(do_BHTE, q_BHTE, k_BKTE, v_BKTE, saved, layout);
    return {dq, dk, dv};
  }
  const auto k = expand_heads(k_BKTE, q_BHTE.size(1));
  const auto v = expand_heads(v_BKTE, q_BHTE.size(1));
  if (!q_BHTE.is_cuda()) {
    std::tie(dq, dk, dv) = cpu_backward(do_BHTE, q_BHTE, k, v, saved, layout);
  } else if (!is_default(layout)) {
    std::tie(dq, dk, dv) = efficient_backward(do_BHTE, q_BHTE, k, v, saved, layout);
  } else {
    std::tie(dq, dk, dv, std::ignore) = at::_scaled_dot_product_efficient_attention_backward(
        do_BHTE, q_BHTE, k, v, /*attn_bias=*/{}, saved.o_BHTE, saved.logsumexp, saved.philox_seed,
        saved.philox_offset, 0.0, {true, true, true, false}, true);
  }
  return {dq, sum_heads(dk, k_BKTE.size(1)), sum_heads(dv, v_BKTE.size(1))};
}

at::Tensor torch_cached_attention(const at::Tensor& q_BHE, const at::Tensor& k_BKCE,
                                  const at::Tensor& v_BKCE, const VisiblePositions& visible) {
  // A row of queries over a short cache: two small products in float32. The vendor's attention
  // kernels want heads repeated, or take no bias.
  const auto rows = k_BKCE.size(0), kv_heads = k_BKCE.size(1), size = k_BKCE.size(3);
  const auto group = q_BHE.size(1) / kv_heads, length = visible.longest;
  const auto cached = [&](const at::Tensor& x) {
    return x.view({rows * kv_heads, -1, size}).narrow(1, 0, length).to(at::kFloat);
  };
  const auto bias = visible.bias_BT.view({rows, 1, 1, length})
                        .expand({rows, kv_heads, group, length})
                        .reshape({rows * kv_heads, group, length});
  const auto q = q_BHE.to(at::kFloat).view({rows * kv_heads, group, size});
  const auto scores = at::baddbmm(bias, q, cached(k_BKCE).transpose(1, 2), 1,
                                  1 / std::sqrt(static_cast<double>(size)));
  return at::bmm(at::softmax(scores, -1), cached(v_BKCE))
      .to(q_BHE.scalar_type())
      .view(q_BHE.sizes());
}

}  // namespace twinrun::trainer
