#include "trainer/ops/portable/portable_ops.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <cmath>

#include "trainer/ops/dropout.h"
#include "trainer/ops/portable/backend.h"
#include "trainer/ops/portable/formulas.h"
#include "trainer/ops/portable/rope_table.h"

namespace twinrun::trainer {
namespace {

using portable::Backend;
using portable::Batch;
using portable::Gemm;
using portable::Heads;
using portable::KRange;

/// Rows of logits that exist at one time; no sum goes across them.
constexpr std::int64_t kLossChunkRows = 1024;
/// Floats of attention scores that exist at one time, per buffer.
constexpr std::int64_t kScoresMax = std::int64_t{1} << 26;

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

/// [B, H, T, E] in the layout of a linear's output: heads of one token side by side.
at::Tensor empty_heads(const Heads& like, const at::Tensor& x) {
  return at::empty({like.rows, like.length, like.heads, like.size}, x.options()).transpose(1, 2);
}

/// Part of the work of attention: rows row .. row + rows, key/value heads kv .. kv + kvs.
struct Part {
  std::int64_t row = 0, rows = 0, kv = 0, kvs = 0;
};

/// Cuts [rows, kv_heads] so that the scores of a part stay below kScoresMax where they can.
template <typename Work>
void for_parts(std::int64_t rows, std::int64_t kv_heads, std::int64_t scores_of_kv, Work work) {
  const auto kvs_max = std::clamp<std::int64_t>(kScoresMax / scores_of_kv, 1, kv_heads);
  const auto rows_max = kvs_max < kv_heads ? 1
                                           : std::clamp<std::int64_t>(
                                                 kScoresMax / (scores_of_kv * kv_heads), 1, rows);
  for (std::int64_t row = 0; row < rows; row += rows_max) {
    for (std::int64_t kv = 0; kv < kv_heads; kv += kvs_max) {
      work(Part{row, std::min(rows_max, rows - row), kv, std::min(kvs_max, kv_heads - kv)});
    }
  }
}

class PortableOps final : public OpSet {
 public:
  explicit PortableOps(Isa isa)
      : cpu_(portable::make_cpu_backend(isa)), cuda_(portable::make_cuda_backend([] {
          return c10::cuda::getCurrentCUDAStream().stream();
        })) {}

  at::Tensor embedding(const at::Tensor& ids_N, const at::Tensor& weight_VD) override {
    return weight_VD.index_select(0, ids_N);
  }

  NormOutput rms_norm(const at::Tensor& x_ND, const at::Tensor& weight_D, double eps) override {
    NormOutput result{at::empty_like(x_ND), at::empty({x_ND.size(0), 1}, x_ND.options())};
    on(x_ND).rms_norm(in(x_ND), in(weight_D), static_cast<float>(eps), out(result.y_ND),
                      out(result.rstd_N1), x_ND.size(0), x_ND.size(1));
    return result;
  }

  at::Tensor rms_norm_backward(const at::Tensor& dy_ND, const at::Tensor& x_ND,
                               const at::Tensor& rstd_N1, const at::Tensor& weight_D) override {
    auto dx = at::empty_like(x_ND);
    on(x_ND).rms_norm_backward(in(dy_ND), in(x_ND), in(rstd_N1), in(weight_D), out(dx),
                               x_ND.size(0), x_ND.size(1));
    return dx;
  }

  at::Tensor lora_linear(const at::Tensor& x_NI, const at::Tensor& weight_OI,
                         const LoraWeights* lora, const DropoutKey& dropout_key,
                         LoraSaved* saved) override {
    auto y = at::empty({x_NI.size(0), weight_OI.size(0)}, x_NI.options());
    product_abt(x_NI, weight_OI, y, /*accumulate=*/false);
    if (lora == nullptr) return y;
    const auto dropped = dropout_key.p > 0 ? dropout(x_NI, dropout_key) : x_NI;
    auto h = at::empty({x_NI.size(0), lora->a_RI.size(0)}, x_NI.options());
    product_abt(dropped, lora->a_RI, h, /*accumulate=*/false);
    on(h).scale(out(h), static_cast<float>(lora->scaling), h.numel());
    product_abt(h, lora->b_OR, y, /*accumulate=*/true);
    if (saved != nullptr) *saved = {x_NI, h, dropout_key};
    return y;
  }

  at::Tensor lora_linear_backward(const at::Tensor& dy_NO, const at::Tensor& weight_OI,
                                  const LoraWeights* lora, const LoraSaved& saved,
                                  const LoraGrads* grads, at::Tensor dx_NI, bool need_dx) override {
    if (need_dx) {
      const bool more = dx_NI.defined();
      if (!more) dx_NI = at::empty({dy_NO.size(0), weight_OI.size(1)}, dy_NO.options());
      product_ab(dy_NO, weight_OI, dx_NI, more);
    }
    if (lora == nullptr) return dx_NI;
    const bool drops = saved.dropout.p > 0;
    auto dh = at::empty({dy_NO.size(0), lora->b_OR.size(1)}, dy_NO.options());
    product_ab(dy_NO, lora->b_OR, dh, /*accumulate=*/false);
    on(dh).scale(out(dh), static_cast<float>(lora->scaling), dh.numel());
    product_atb(dy_NO, saved.h_NR, grads->b_OR);
    product_atb(dh, drops ? dropout(saved.x_NI, saved.dropout) : saved.x_NI, grads->a_RI);
    if (!need_dx) return dx_NI;
    if (!drops) {
      product_ab(dh, lora->a_RI, dx_NI, /*accumulate=*/true);
      return dx_NI;
    }
    auto part = at::empty_like(dx_NI);
    product_ab(dh, lora->a_RI, part, /*accumulate=*/false);
    dropout_add_(dx_NI, part, saved.dropout);
    return dx_NI;
  }

  std::pair<at::Tensor, at::Tensor> rope_tables(double theta, std::int64_t head_dim,
                                                std::int64_t length,
                                                const at::TensorOptions& options) override {
    auto cos = at::empty({length, head_dim / 2}, at::kFloat), sin = at::empty_like(cos);
    portable::rope_table(theta, head_dim, length, out(cos), out(sin));
    const auto both = [&](const at::Tensor& half) { return at::cat({half, half}, -1).to(options); };
    return {both(cos), both(sin)};
  }

  at::Tensor rope(const at::Tensor& x_BHTE, const at::Tensor& cos_TE,
                  const at::Tensor& sin_TE) override {
    return turn(x_BHTE, cos_TE, sin_TE, 1.0F);
  }

  at::Tensor rope_backward(const at::Tensor& dy_BHTE, const at::Tensor& cos_TE,
                           const at::Tensor& sin_TE) override {
    return turn(dy_BHTE, cos_TE, sin_TE, -1.0F);
  }

  AttentionOutput attention(const at::Tensor& q_BHTE, const at::Tensor& k_BKTE,
                            const at::Tensor& v_BKTE) override {
    const auto q = heads_of(q_BHTE), k = heads_of(k_BKTE), v = heads_of(v_BKTE);
    auto result = empty_heads(q, q_BHTE);
    const auto o = heads_of(result);
    const auto ld = score_stride(q.length), group = q.heads / k.heads;
    for_parts(q.rows, k.heads, group * q.length * ld, [&](const Part& part) {
      const auto scores = scores_buffer(q, group, part, q_BHTE);
      probabilities(q, k, part, out(scores), on(q_BHTE));
      Gemm g{.m = q.length, .n = v.size, .k = q.length, .a = out(scores), .a_row = ld, .a_k = 1};
      g.b = at_part(v, part, 1);
      g.b_k = v.position_stride;
      g.c = at_part(o, part, group);
      g.c_row = o.position_stride;
      g.range = KRange::kUpTo;
      on(q_BHTE).gemm(g, {.outer = part.rows,
                          .inner = part.kvs * group,
                          .a_outer = part.kvs * group * q.length * ld,
                          .a_inner = q.length * ld,
                          .b_outer = v.row_stride,
                          .b_inner = v.head_stride,
                          .c_outer = o.row_stride,
                          .c_inner = o.head_stride,
                          .b_group = group});
    });
    return {result, {}, {}, {}};
  }

  AttentionGrads attention_backward(const at::Tensor& do_BHTE, const at::Tensor& q_BHTE,
                                    const at::Tensor& k_BKTE, const at::Tensor& v_BKTE,
                                    const AttentionOutput& saved) override;

  at::Tensor swiglu(const at::Tensor& gate_NI, const at::Tensor& up_NI) override {
    auto y = at::empty_like(gate_NI);
    on(y).swiglu(in(gate_NI), in(up_NI), out(y), y.numel());
    return y;
  }

  std::pair<at::Tensor, at::Tensor> swiglu_backward(const at::Tensor& dy_NI,
                                                    const at::Tensor& gate_NI,
                                                    const at::Tensor& up_NI) override {
    auto dgate = at::empty_like(gate_NI), dup = at::empty_like(up_NI);
    on(dgate).swiglu_backward(in(dy_NI), in(gate_NI), in(up_NI), out(dgate), out(dup),
                              dgate.numel());
    return {dgate, dup};
  }

  LossOutput linear_cross_entropy(const at::Tensor& x_LD, const at::Tensor& weight_VD,
                                  const at::Tensor& labels_L, double grad_scale) override {
    const auto rows = x_LD.size(0), vocab = weight_VD.size(0);
    LossOutput result{at::empty({}, x_LD.options()), at::empty_like(x_LD)};
    auto losses = at::empty({rows}, x_LD.options());
    auto logits = at::empty({std::min(kLossChunkRows, rows), vocab}, x_LD.options());
    for (std::int64_t begin = 0; begin < rows; begin += kLossChunkRows) {
      const auto count = std::min(kLossChunkRows, rows - begin);
      const auto chunk = logits.narrow(0, 0, count);
      product_abt(x_LD.narrow(0, begin, count), weight_VD, chunk, /*accumulate=*/false);
      on(x_LD).cross_entropy(out(chunk), labels_L.const_data_ptr<std::int64_t>() + begin,
                             static_cast<float>(grad_scale), out(losses) + begin, count, vocab);
      input_grad(chunk, weight_VD, result.dx_LD.narrow(0, begin, count));
    }
    on(x_LD).sum(in(losses), rows, out(result.loss_sum));
    return result;
  }

  void add_(at::Tensor& sum, const at::Tensor& part) override {
    on(sum).add(out(sum), in(part), sum.numel());
  }

  void divide_(at::Tensor& x, double divisor) override {
    on(x).divide(out(x), static_cast<float>(divisor), x.numel());
  }

  at::Tensor grad_norm(const at::Tensor& grads_flat) override {
    const auto n = grads_flat.numel();
    auto blocks = at::empty({(n + portable::kNormBlock - 1) / portable::kNormBlock},
                            grads_flat.options().dtype(at::kDouble));
    auto norm = at::empty({}, grads_flat.options());
    on(grads_flat).grad_norm(in(grads_flat), n, blocks.mutable_data_ptr<double>(), out(norm));
    return norm;
  }

  void clip_grads(at::Tensor& grads_flat, const at::Tensor& norm, double max_norm) override {
    on(grads_flat)
        .clip(out(grads_flat), in(norm), static_cast<float>(max_norm), grads_flat.numel());
  }

  void adamw(const AdamWStep& step, const at::Tensor& grads, at::Tensor& params,
             at::Tensor& exp_avg, at::Tensor& exp_avg_sq) override {
    const portable::AdamWScalars scalars{
        .decay = static_cast<float>(1 - step.lr * step.weight_decay),
        .one_minus_beta1 = static_cast<float>(1 - step.beta1),
        .beta2 = static_cast<float>(step.beta2),
        .one_minus_beta2 = static_cast<float>(1 - step.beta2),
        .sqrt_correction2 = static_cast<float>(std::sqrt(step.correction2)),
        .eps = static_cast<float>(step.eps),
        .minus_step = static_cast<float>(-step.lr / step.correction1)};
    on(params).adamw(scalars, in(grads), out(params), out(exp_avg), out(exp_avg_sq),
                     params.numel());
  }

 private:
  Backend& on(const at::Tensor& tensor) { return tensor.is_cuda() ? *cuda_ : *cpu_; }

  /// A product with a[M, K] on the left, c[M, N] without what it takes from b.
  static Gemm gemm_of(const at::Tensor& a, const at::Tensor& c) {
    Gemm g;
    g.m = a.size(0);
    g.n = c.size(1);
    g.k = a.size(1);
    g.a = in(a);
    g.a_row = a.size(1);
    g.a_k = 1;
    g.c = out(c);
    g.c_row = c.size(1);
    return g;
  }

  /// c[M, N] (+)= a[M, K] b[N, K]^T.
  void product_abt(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c, bool accumulate) {
    auto g = gemm_of(a, c);
    g.b = in(b);
    g.b_k = 1;
    g.b_col = b.size(1);
    g.accumulate = accumulate;
    on(c).gemm(g, {});
  }

  /// c[M, N] (+)= a[M, K] b[K, N].
  void product_ab(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c, bool accumulate) {
    auto g = gemm_of(a, c);
    g.b = in(b);
    g.b_k = b.size(1);
    g.b_col = 1;
    g.accumulate = accumulate;
    on(c).gemm(g, {});
  }

  /// c[M, N] += a[K, M]^T b[K, N].
  void product_atb(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c) {
    auto g = gemm_of(a, c);
    g.m = a.size(1);
    g.k = a.size(0);
    g.a_row = 1;
    g.a_k = a.size(1);
    g.b = in(b);
    g.b_k = b.size(1);
    g.b_col = 1;
    g.accumulate = true;
    on(c).gemm(g, {});
  }

  /// dx = g weight, chained: in one chain over the vocabulary what thousands of improbable tokens
  /// bring would be lost below the last bit of the label's part (measured on SmolLM2: the gradient
  /// norm was off by 7e-5).
  void input_grad(const at::Tensor& g_LV, const at::Tensor& weight_VD, const at::Tensor& dx_LD) {
    auto g = gemm_of(g_LV, dx_LD);
    g.b = in(weight_VD);
    g.b_k = dx_LD.size(1);
    g.b_col = 1;
    g.chained = true;
    on(dx_LD).gemm(g, {});
  }

  at::Tensor turn(const at::Tensor& x_BHTE, const at::Tensor& cos_TE, const at::Tensor& sin_TE,
                  float sign) {
    const auto x = heads_of(x_BHTE);
    auto y = empty_heads(x, x_BHTE);
    on(y).rope(x, in(cos_TE), in(sin_TE), sign, heads_of(y));
    return y;
  }

  /// Floats from row to row of a matrix of scores: a multiple of four, for whole reads of four.
  static std::int64_t score_stride(std::int64_t length) { return (length + 3) / 4 * 4; }

  static at::Tensor scores_buffer(const Heads& q, std::int64_t group, const Part& part,
                                  const at::Tensor& like) {
    return at::empty({part.rows * part.kvs * group, q.length, score_stride(q.length)},
                     like.options());
  }

  /// Where the first head of `part` starts; `group` heads of x belong to a key/value head.
  static float* at_part(const Heads& x, const Part& part, std::int64_t group) {
    return x.data + part.row * x.row_stride + part.kv * group * x.head_stride;
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

  static float softmax_scale(std::int64_t size) {
    return static_cast<float>(1 / std::sqrt(static_cast<double>(size)));
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

  std::unique_ptr<Backend> cpu_, cuda_;
};

AttentionGrads PortableOps::attention_backward(const at::Tensor& do_BHTE, const at::Tensor& q_BHTE,
                                               const at::Tensor& k_BKTE, const at::Tensor& v_BKTE,
                                               const AttentionOutput& saved) {
  const auto q = heads_of(q_BHTE), k = heads_of(k_BKTE), v = heads_of(v_BKTE),
             dout = heads_of(do_BHTE);
  auto& device = on(q_BHTE);
  AttentionGrads grads{empty_heads(q, q_BHTE), empty_heads(k, k_BKTE), empty_heads(v, v_BKTE)};
  const auto dq = heads_of(grads.dq_BHTE), dk = heads_of(grads.dk_BKTE),
             dv = heads_of(grads.dv_BKTE);
  const auto ld = score_stride(q.length), group = q.heads / k.heads;
  for_parts(q.rows, k.heads, group * q.length * ld, [&](const Part& part) {
    const auto p = scores_buffer(q, group, part, q_BHTE), ds = at::empty_like(p);
    const auto items = part.rows * part.kvs * group;
    auto delta = at::empty({items, q.length}, q_BHTE.options());
    const auto part_of = [&](const Heads& x) {
      auto cut = x;
      cut.data = at_part(x, part, group);
      cut.rows = part.rows;
      cut.heads = part.kvs * group;
      return cut;
    };
    probabilities(q, k, part, out(p), device);
    device.head_dots(part_of(dout), part_of(heads_of(saved.o_BHTE)), out(delta));
    sum_over_queries(in(p), dout, dv, part, device);
    scores_of(dout, v, part, out(ds), device);
    device.softmax_backward(in(p), out(ds), in(delta), softmax_scale(q.size), items, q.length, ld);
    sum_over_queries(in(ds), q, dk, part, device);
    Gemm g{.m = q.length, .n = q.size, .k = q.length, .a = in(ds), .a_row = ld, .a_k = 1};
    g.b = at_part(k, part, 1);
    g.b_k = k.position_stride;
    g.c = at_part(dq, part, group);
    g.c_row = dq.position_stride;
    g.range = KRange::kUpTo;
    device.gemm(g, {.outer = part.rows,
                    .inner = part.kvs * group,
                    .a_outer = part.kvs * group * q.length * ld,
                    .a_inner = q.length * ld,
                    .b_outer = k.row_stride,
                    .b_inner = k.head_stride,
                    .c_outer = dq.row_stride,
                    .c_inner = dq.head_stride,
                    .b_group = group});
  });
  return grads;
}

}  // namespace

std::unique_ptr<OpSet> make_portable_ops(Isa isa) { return std::make_unique<PortableOps>(isa); }

}  // namespace twinrun::trainer
