#include "trainer/ops/portable/attention_parts.h"

namespace twinrun::trainer::portable {
namespace {

at::Tensor scores_buffer(const Heads& q, std::int64_t group, const Part& part,
                         const at::Tensor& like) {
  return at::empty({part.rows * part.kvs * group, q.length, score_stride(q.length)},
                   like.options());
}

/// scores = x y^T below the diagonal, head by head; y has one head for `group` of x.
void scores_of(const Heads& x, const Heads& y, const Part& part, float* scores, Backend& device) {
  const auto ld = score_stride(x.length), group = x.heads / y.heads;
  Gemm g{.m = x.length, .n = x.length, .k = x.size, .a = at_part(x, part, group)};
  g.a_row = x.position_stride;
  g.b = at_part(y, part, 1);
  g.b_k = 1;
  g.b_col = y.position_stride;
  g.c = scores;
  g.c_row = ld;
  g.range = KRange::kOutLower;
  device.gemm(g, {.outer = part.rows,
                  .inner = part.kvs * group,
                  .a_outer = x.row_stride,
                  .a_inner = x.head_stride,
                  .b_outer = y.row_stride,
                  .b_inner = y.head_stride,
                  .c_outer = part.kvs * group * x.length * ld,
                  .c_inner = x.length * ld,
                  .b_group = group});
}

/// The same bits in the forward and, again, in the backward.
void probabilities(const Heads& q, const Heads& k, const Part& part, float* scores,
                   Backend& device) {
  scores_of(q, k, part, scores, device);
  device.softmax(scores, softmax_scale(q.size), part.rows * part.kvs * (q.heads / k.heads),
                 q.length, score_stride(q.length));
}

/// d of keys or values: one chain over the query heads of a group, ascending, and within a head
/// over the positions from the key's own on. `scores` [.., T, ld] of the part.
void sum_over_queries(const float* scores, const Heads& x, const Heads& d, const Part& part,
                      Backend& device) {
  const auto ld = score_stride(x.length), group = x.heads / d.heads;
  for (std::int64_t head = 0; head < group; ++head) {
    Gemm g{.m = x.length, .n = x.size, .k = x.length, .a = scores + head * x.length * ld};
    g.a_row = 1;
    g.a_k = ld;
    g.b = at_part(x, part, group) + head * x.head_stride;
    g.b_k = x.position_stride;
    g.c = at_part(d, part, 1);
    g.c_row = d.position_stride;
    g.accumulate = head > 0;
    g.range = KRange::kFrom;
    device.gemm(g, {.outer = part.rows,
                    .inner = part.kvs,
                    .a_outer = part.kvs * group * x.length * ld,
                    .a_inner = group * x.length * ld,
                    .b_outer = x.row_stride,
                    .b_inner = group * x.head_stride,
                    .c_outer = d.row_stride,
                    .c_inner = d.head_stride});
  }
}

/// Causal attention of whole rows.
void causal_attention(Backend& device, const Heads& q, const Heads& k, const Heads& v,
                      const Heads& o, const at::Tensor& like) {
  const auto ld = score_stride(q.length), group = q.heads / k.heads;
  for_parts(q.rows, k.heads, group * q.length * ld, [&](const Part& part) {
    const auto scores = scores_buffer(q, group, part, like);
    probabilities(q, k, part, out(scores), device);
    Gemm g{.m = q.length, .n = v.size, .k = q.length, .a = out(scores), .a_row = ld, .a_k = 1};
    g.b = at_part(v, part, 1);
    g.b_k = v.position_stride;
    g.c = at_part(o, part, group);
    g.c_row = o.position_stride;
    g.range = KRange::kUpTo;
    device.gemm(g, {.outer = part.rows,
                    .inner = part.kvs * group,
                    .a_outer = part.kvs * group * q.length * ld,
                    .a_inner = q.length * ld,
                    .b_outer = v.row_stride,
                    .b_inner = v.head_stride,
                    .c_outer = o.row_stride,
                    .c_inner = o.head_stride,
                    .b_group = group});
  });
}

void causal_attention_backward(Backend& device, const Heads& dout, const Heads& q, const Heads& k,
                               const Heads& v, const Heads& o, const HeadGrads& grads,
                               const at::Tensor& like) {
  const auto ld = score_stride(q.length), group = q.heads / k.heads;
  for_parts(q.rows, k.heads, group * q.length * ld, [&](const Part& part) {
    const auto p = scores_buffer(q, group, part, like), ds = at::empty_like(p);
    const auto items = part.rows * part.kvs * group;
    auto delta = at::empty({items, q.length}, like.options());
    probabilities(q, k, part, out(p), device);
    device.head_dots(part_of(dout, part, group), part_of(o, part, group), out(delta));
    sum_over_queries(in(p), dout, grads.dv, part, device);
    scores_of(dout, v, part, out(ds), device);
    device.softmax_backward(in(p), out(ds), in(delta), softmax_scale(q.size), items, q.length, ld);
    sum_over_queries(in(ds), q, grads.dk, part, device);
    Gemm g{.m = q.length, .n = q.size, .k = q.length, .a = in(ds), .a_row = ld, .a_k = 1};
    g.b = at_part(k, part, 1);
    g.b_k = k.position_stride;
    g.c = at_part(grads.dq, part, group);
    g.c_row = grads.dq.position_stride;
    g.range = KRange::kUpTo;
    device.gemm(g, {.outer = part.rows,
                    .inner = part.kvs * group,
                    .a_outer = part.kvs * group * q.length * ld,
                    .a_inner = q.length * ld,
                    .b_outer = k.row_stride,
                    .b_inner = k.head_stride,
                    .c_outer = grads.dq.row_stride,
                    .c_inner = grads.dq.head_stride,
                    .b_group = group});
  });
}

/// Calls work(cut) for every segment, or once for all rows; cut(x) has its positions alone.
template <typename Work>
void for_segments(const AttentionLayout& layout, Work work) {
  if (layout.segments.empty()) work([](const Heads& x) { return x; });
  for (const auto& s : layout.segments) {
    work([&](const Heads& x) { return positions_of(x, s.begin, s.length); });
  }
}

bool has_window(const AttentionLayout& layout, const Heads& q) {
  return layout.window > 0 && layout.window < q.length;
}

/// Of a window the products continue what is there.
at::Tensor new_heads(const Heads& like, const at::Tensor& x, const AttentionLayout& layout) {
  auto result = empty_heads(like, x);
  return layout.window > 0 ? result.zero_() : result;
}

}  // namespace

const float* in(const at::Tensor& t) {
  TORCH_CHECK(t.scalar_type() == at::kFloat, "numerics: portable is float32 only so far, not ",
              t.scalar_type());
  TORCH_CHECK(t.is_contiguous(), "a portable op needs a contiguous tensor");
  return t.const_data_ptr<float>();
}

float* out(const at::Tensor& t) { return const_cast<float*>(in(t)); }

Heads heads_of(const at::Tensor& x) {
  TORCH_CHECK(x.scalar_type() == at::kFloat && x.dim() == 4 && x.stride(3) == 1,
              "heads are float32 [B, H, T, E] with neighbouring elements");
  return {const_cast<float*>(x.const_data_ptr<float>()),
          x.size(0),
          x.size(1),
          x.size(2),
          x.size(3),
          x.stride(0),
          x.stride(1),
          x.stride(2)};
}

at::Tensor empty_heads(const Heads& like, const at::Tensor& x) {
  return at::empty({like.rows, like.length, like.heads, like.size}, x.options()).transpose(1, 2);
}

AttentionOutput attention(Backend& device, const at::Tensor& q_BHTE, const at::Tensor& k_BKTE,
                          const at::Tensor& v_BKTE, const AttentionLayout& layout) {
  const auto q = heads_of(q_BHTE), k = heads_of(k_BKTE), v = heads_of(v_BKTE);
  auto result = new_heads(q, q_BHTE, layout);
  const auto o = heads_of(result);
  for_segments(layout, [&](const auto& cut) {
    if (has_window(layout, cut(q))) {
      window_attention(device, cut(q), cut(k), cut(v), cut(o), layout.window, q_BHTE);
    } else {
      causal_attention(device, cut(q), cut(k), cut(v), cut(o), q_BHTE);
    }
  });
  return {result, {}, {}, {}};
}

AttentionGrads attention_backward(Backend& device, const at::Tensor& do_BHTE,
                                  const at::Tensor& q_BHTE, const at::Tensor& k_BKTE,
                                  const at::Tensor& v_BKTE, const AttentionOutput& saved,
                                  const AttentionLayout& layout) {
  const auto q = heads_of(q_BHTE), k = heads_of(k_BKTE), v = heads_of(v_BKTE),
             dout = heads_of(do_BHTE), o = heads_of(saved.o_BHTE);
  AttentionGrads result{new_heads(q, q_BHTE, layout), new_heads(k, k_BKTE, layout),
                        new_heads(v, v_BKTE, layout)};
  const auto dq = heads_of(result.dq_BHTE), dk = heads_of(result.dk_BKTE),
             dv = heads_of(result.dv_BKTE);
  for_segments(layout, [&](const auto& cut) {
    const HeadGrads grads{cut(dq), cut(dk), cut(dv)};
    if (has_window(layout, cut(q))) {
      window_attention_backward(device, cut(dout), cut(q), cut(k), cut(v), cut(o), grads,
                                layout.window, q_BHTE);
    } else {
      causal_attention_backward(device, cut(dout), cut(q), cut(k), cut(v), cut(o), grads, q_BHTE);
    }
  });
  return result;
}

at::Tensor cached_attention(Backend& device, const at::Tensor& q_BHE, const at::Tensor& k_BKCE,
                            const at::Tensor& v_BKCE, const VisiblePositions& visible) {
  const auto heads = q_BHE.size(1), size = q_BHE.size(2);
  const auto kv_heads = k_BKCE.size(1), capacity = k_BKCE.size(2), group = heads / kv_heads;
  const auto ld = score_stride(visible.longest);
  auto o = at::empty_like(q_BHE), scores = at::empty({heads, ld}, q_BHE.options());
  for (std::size_t row = 0; row < visible.lengths.size(); ++row) {
    const auto b = static_cast<std::int64_t>(row), all = visible.lengths[row];
    const auto length = visible.window > 0 ? std::min(visible.window, all) : all;
    const auto cached = (b * kv_heads * capacity + all - length) * size, at_row = b * heads * size;
    Gemm dots{.m = group, .n = length, .k = size, .a = in(q_BHE) + at_row};
    dots.a_row = size;
    dots.b = in(k_BKCE) + cached;
    dots.b_k = 1;
    dots.b_col = size;
    dots.c = out(scores);
    dots.c_row = ld;
    device.gemm(dots, {.inner = kv_heads,
                       .a_inner = group * size,
                       .b_inner = capacity * size,
                       .c_inner = group * ld});
    device.softmax_rows(out(scores), softmax_scale(size), heads, length, ld);
    Gemm mix{.m = group, .n = size, .k = length, .a = in(scores), .a_row = ld, .a_k = 1};
    mix.b = in(v_BKCE) + cached;
    mix.b_k = size;
    mix.c = out(o) + at_row;
    mix.c_row = size;
    device.gemm(mix, {.inner = kv_heads,
                      .a_inner = group * ld,
                      .b_inner = capacity * size,
                      .c_inner = group * size});
  }
  return o;
}

}  // namespace twinrun::trainer::portable
