#include "trainer/ops/portable/portable_ops.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <cmath>

#include "trainer/ops/dropout.h"
#include "trainer/ops/portable/attention.h"
#include "trainer/ops/portable/backend.h"
#include "trainer/ops/portable/formulas.h"
#include "trainer/ops/portable/rope_table.h"

namespace twinrun::trainer {
namespace {

using portable::Backend;
using portable::Gemm;
using portable::heads_of;
using portable::in;
using portable::out;

/// Rows of logits that exist at one time; no sum goes across them.
constexpr std::int64_t kLossChunkRows = 1024;

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
                               const at::Tensor& rstd_N1, const at::Tensor& weight_D,
                               const at::Tensor& residual_ND) override {
    auto dx = at::empty_like(x_ND);
    on(x_ND).rms_norm_backward(in(dy_ND), in(x_ND), in(rstd_N1), in(weight_D), out(dx),
                               x_ND.size(0), x_ND.size(1));
    return residual_ND.defined() ? residual_ND + dx : dx;
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
    if (saved != nullptr) *saved = {x_NI, h, dropout_key, {}};
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

  std::pair<at::Tensor, at::Tensor> rope_tables(const RopeConfig& rope, std::int64_t head_dim,
                                                std::int64_t length,
                                                const at::TensorOptions& options) override {
    auto cos = at::empty({length, head_dim / 2}, at::kFloat), sin = at::empty_like(cos);
    portable::rope_table(rope, head_dim, length, out(cos), out(sin));
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
                            const at::Tensor& v_BKTE, const AttentionLayout& layout) override {
    return portable::attention(on(q_BHTE), q_BHTE, k_BKTE, v_BKTE, layout);
  }

  AttentionGrads attention_backward(const at::Tensor& do_BHTE, const at::Tensor& q_BHTE,
                                    const at::Tensor& k_BKTE, const at::Tensor& v_BKTE,
                                    const AttentionOutput& saved,
                                    const AttentionLayout& layout) override {
    return portable::attention_backward(on(q_BHTE), do_BHTE, q_BHTE, k_BKTE, v_BKTE, saved, layout);
  }

  at::Tensor cached_attention(const at::Tensor& q_BHE, const at::Tensor& k_BKCE,
                              const at::Tensor& v_BKCE, const VisiblePositions& visible) override {
    return portable::cached_attention(on(q_BHE), q_BHE, k_BKCE, v_BKCE, visible);
  }

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

  at::Tensor log_softmax(const at::Tensor& logits_LV) override {
    auto result = logits_LV.clone();
    on(result).log_softmax(out(result), result.size(0), result.size(1));
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

  static Gemm gemm_ab(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c) {
    auto g = gemm_of(a, c);
    g.b = in(b);
    g.b_k = b.size(1);
    g.b_col = 1;
    return g;
  }

  /// c[M, N] (+)= a[M, K] b[K, N].
  void product_ab(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c, bool accumulate) {
    auto g = gemm_ab(a, b, c);
    g.accumulate = accumulate;
    on(c).gemm(g, {});
  }

  /// c[M, N] += a[K, M]^T b[K, N].
  void product_atb(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c) {
    auto g = gemm_ab(a, b, c);
    g.m = a.size(1);
    g.k = a.size(0);
    g.a_row = 1;
    g.a_k = a.size(1);
    g.accumulate = true;
    on(c).gemm(g, {});
  }

  /// dx = g weight, chained: in one chain over the vocabulary what thousands of improbable tokens
  /// bring would be lost below the last bit of the label's part (measured on SmolLM2: the gradient
  /// norm was off by 7e-5).
  void input_grad(const at::Tensor& g_LV, const at::Tensor& weight_VD, const at::Tensor& dx_LD) {
    auto g = gemm_ab(g_LV, weight_VD, dx_LD);
    g.chained = true;
    on(dx_LD).gemm(g, {});
  }

  at::Tensor turn(const at::Tensor& x_BHTE, const at::Tensor& cos_TE, const at::Tensor& sin_TE,
                  float sign) {
    const auto x = heads_of(x_BHTE);
    auto y = portable::empty_heads(x, x_BHTE);
    on(y).rope(x, in(cos_TE), in(sin_TE), sign, heads_of(y));
    return y;
  }

  std::unique_ptr<Backend> cpu_, cuda_;
};

}  // namespace

std::unique_ptr<OpSet> make_portable_ops(Isa isa) { return std::make_unique<PortableOps>(isa); }

}  // namespace twinrun::trainer
