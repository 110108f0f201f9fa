#include "trainer/ops/torch/torch_ops.h"

#include <ATen/ATen.h>

#include <cmath>

#include "trainer/ops/dropout.h"
#include "trainer/ops/torch/lt_products.h"
#include "trainer/ops/torch/token_parts.h"

namespace twinrun::trainer {
namespace {

/// Rows of logits that exist at one time: 1,024 x 49,152 float32 are 200 MB.
constexpr std::int64_t kLossChunkRows = 1024;

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

class TorchOps final : public OpSet {
 public:
  explicit TorchOps(GpuSums gpu_sums) : gpu_sums_(gpu_sums) {}

  at::Tensor embedding(const at::Tensor& ids_N, const at::Tensor& weight_VD) override {
    return weight_VD.index_select(0, ids_N);
  }

  NormOutput rms_norm(const at::Tensor& x_ND, const at::Tensor& weight_D, double eps) override {
    const auto x = x_ND.to(at::kFloat);
    const auto rstd = (x * x).mean(-1, /*keepdim=*/true).add_(eps).rsqrt_();
    return {(x * rstd).to(x_ND.scalar_type()).mul_(weight_D), rstd};
  }

  at::Tensor rms_norm_backward(const at::Tensor& dy_ND, const at::Tensor& x_ND,
                               const at::Tensor& rstd_N1, const at::Tensor& weight_D) override {
    const auto normed = x_ND.to(at::kFloat) * rstd_N1;
    const auto wdy = dy_ND.to(at::kFloat) * weight_D.to(at::kFloat);
    const auto mean = (wdy * normed).mean(-1, /*keepdim=*/true);
    return wdy.sub(normed.mul(mean)).mul_(rstd_N1).to(x_ND.scalar_type());
  }

  at::Tensor lora_linear(const at::Tensor& x_NI, const at::Tensor& weight_OI,
                         const LoraWeights* lora, const DropoutKey& dropout_key,
                         LoraSaved* saved) override {
    auto y = product(x_NI, weight_OI.t());
    if (lora == nullptr) return y;
    const auto dropped = dropout_key.p > 0 ? dropout(x_NI, dropout_key) : x_NI;
    const auto h = product(dropped, lora->a_RI.t());
    add_product(y, h, lora->b_OR.t(), lora->scaling);
    if (saved != nullptr) *saved = {x_NI, h, dropout_key};
    return y;
  }

  at::Tensor lora_linear_backward(const at::Tensor& dy_NO, const at::Tensor& weight_OI,
                                  const LoraWeights* lora, const LoraSaved& saved,
                                  const LoraGrads* grads, at::Tensor dx_NI, bool need_dx) override {
    if (need_dx) {
      if (dx_NI.defined()) {
        add_product(dx_NI, dy_NO, weight_OI, 1);
      } else {
        dx_NI = product(dy_NO, weight_OI);
      }
    }
    if (lora == nullptr) return dx_NI;
    const bool drops = saved.dropout.p > 0;
    const auto dh = product(dy_NO, lora->b_OR).mul_(lora->scaling);
    add_token_sum(grads->b_OR, dy_NO, saved.h_NR, lora->scaling);
    add_token_sum(grads->a_RI, dh, drops ? dropout(saved.x_NI, saved.dropout) : saved.x_NI, 1);
    if (!need_dx) return dx_NI;
    if (drops) {
      dropout_add_(dx_NI, product(dh, lora->a_RI), saved.dropout);
    } else {
      add_product(dx_NI, dh, lora->a_RI, 1);
    }
    return dx_NI;
  }

  std::pair<at::Tensor, at::Tensor> rope_tables(double theta, std::int64_t head_dim,
                                                std::int64_t length,
                                                const at::TensorOptions& options) override {
    // In float32 on the host, as transformers computes them; then as `options` say.
    const auto exponent = at::arange(0, head_dim, 2, at::kFloat) / static_cast<double>(head_dim);
    const auto inv_freq = at::pow(theta, exponent).reciprocal();
    const auto angles = at::outer(at::arange(length, at::kFloat), inv_freq);
    const auto both = at::cat({angles, angles}, -1);
    return {both.cos().to(options), both.sin().to(options)};
  }

  at::Tensor rope(const at::Tensor& x_BHTE, const at::Tensor& cos_TE,
                  const at::Tensor& sin_TE) override {
    const auto half = x_BHTE.size(-1) / 2;
    const auto rotated =
        at::cat({x_BHTE.narrow(-1, half, half).neg(), x_BHTE.narrow(-1, 0, half)}, -1);
    return (x_BHTE * cos_TE).add_(rotated.mul_(sin_TE));
  }

  at::Tensor rope_backward(const at::Tensor& dy_BHTE, const at::Tensor& cos_TE,
                           const at::Tensor& sin_TE) override {
    const auto half = dy_BHTE.size(-1) / 2;
    const auto scaled = dy_BHTE * sin_TE;
    const auto rotated =
        at::cat({scaled.narrow(-1, half, half), scaled.narrow(-1, 0, half).neg()}, -1);
    return (dy_BHTE * cos_TE).add_(rotated);
  }

  AttentionOutput attention(const at::Tensor& q_BHTE, const at::Tensor& k_BKTE,
                            const at::Tensor& v_BKTE) override {
    const auto k = expand_heads(k_BKTE, q_BHTE.size(1));
    const auto v = expand_heads(v_BKTE, q_BHTE.size(1));
    if (!q_BHTE.is_cuda()) {
      auto [o, lse] = at::_scaled_dot_product_flash_attention_for_cpu(q_BHTE, k, v, 0.0, true);
      return {o, lse, {}, {}};
    }
    if (q_BHTE.scalar_type() == at::kFloat) {  // flash takes half precision only
      auto [o, lse, seed, offset] = at::_scaled_dot_product_efficient_attention(
          q_BHTE, k, v, /*attn_bias=*/std::nullopt, /*compute_log_sumexp=*/true, 0.0, true);
      return {o, lse, seed, offset};
    }
    auto out = at::_scaled_dot_product_flash_attention(q_BHTE, k, v, 0.0, true);
    return {std::get<0>(out), std::get<1>(out), std::get<6>(out), std::get<7>(out)};
  }

  AttentionGrads attention_backward(const at::Tensor& do_BHTE, const at::Tensor& q_BHTE,
                                    const at::Tensor& k_BKTE, const at::Tensor& v_BKTE,
                                    const AttentionOutput& saved) override {
    // Called by name, both GPU functions ask at::globalContext() for deterministicAlgorithms():
    // flash then orders its additions to dq, memory-efficient does not split the keys. The one for
    // the CPU has one writer an element.
    const auto k = expand_heads(k_BKTE, q_BHTE.size(1));
    const auto v = expand_heads(v_BKTE, q_BHTE.size(1));
    at::Tensor dq, dk, dv;
    if (!q_BHTE.is_cuda()) {
      std::tie(dq, dk, dv) = at::_scaled_dot_product_flash_attention_for_cpu_backward(
          do_BHTE, q_BHTE, k, v, saved.o_BHTE, saved.logsumexp, 0.0, true);
    } else if (q_BHTE.scalar_type() == at::kFloat) {
      std::tie(dq, dk, dv, std::ignore) = at::_scaled_dot_product_efficient_attention_backward(
          do_BHTE, q_BHTE, k, v, /*attn_bias=*/{}, saved.o_BHTE, saved.logsumexp, saved.philox_seed,
          saved.philox_offset, 0.0, {true, true, true, false}, true);
    } else {
      std::tie(dq, dk, dv) = at::_scaled_dot_product_flash_attention_backward(
          do_BHTE, q_BHTE, k, v, saved.o_BHTE, saved.logsumexp, {}, {}, q_BHTE.size(2), k.size(2),
          0.0, true, saved.philox_seed, saved.philox_offset);
    }
    return {dq, sum_heads(dk, k_BKTE.size(1)), sum_heads(dv, v_BKTE.size(1))};
  }

  at::Tensor cached_attention(const at::Tensor& q_BHE, const at::Tensor& k_BKCE,
                              const at::Tensor& v_BKCE, const VisiblePositions& visible) override {
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

  at::Tensor swiglu(const at::Tensor& gate_NI, const at::Tensor& up_NI) override {
    return at::silu(gate_NI).mul_(up_NI);
  }

  std::pair<at::Tensor, at::Tensor> swiglu_backward(const at::Tensor& dy_NI,
                                                    const at::Tensor& gate_NI,
                                                    const at::Tensor& up_NI) override {
    auto dup = at::silu(gate_NI).mul_(dy_NI);
    return {at::silu_backward(dy_NI * up_NI, gate_NI), dup};
  }

  LossOutput linear_cross_entropy(const at::Tensor& x_LD, const at::Tensor& weight_VD,
                                  const at::Tensor& labels_L, double grad_scale) override {
    auto loss_sum = at::zeros({}, x_LD.options().dtype(at::kFloat));
    auto dx = at::empty_like(x_LD);
    for (std::int64_t begin = 0; begin < x_LD.size(0); begin += kLossChunkRows) {
      const auto rows = std::min(kLossChunkRows, x_LD.size(0) - begin);
      const auto labels_L1 = labels_L.narrow(0, begin, rows).unsqueeze(1);
      const auto logits = product(x_LD.narrow(0, begin, rows), weight_VD.t()).to(at::kFloat);
      auto p = at::_log_softmax(logits, -1, /*half_to_float=*/false);
      loss_sum.sub_(p.gather(1, labels_L1).sum());
      p.exp_();
      // One element a row, so that no two writers meet: the scatter has one order.
      p.scatter_(1, labels_L1, p.gather(1, labels_L1).sub_(1));
      p.mul_(grad_scale);
      product_into(dx.narrow(0, begin, rows), p.to(x_LD.scalar_type()), weight_VD);
    }
    return {loss_sum, dx};
  }

  at::Tensor log_softmax(const at::Tensor& logits_LV) override {
    return at::log_softmax(logits_LV, -1, at::kFloat);
  }

  void add_(at::Tensor& sum, const at::Tensor& part) override { sum.add_(part); }

  void divide_(at::Tensor& x, double divisor) override { x.div_(divisor); }

  at::Tensor grad_norm(const at::Tensor& grads_flat) override {
    // In double: one float32 sum over millions of squares was seen to lose 4 digits on a CPU.
    return at::linalg_vector_norm(grads_flat, 2, at::OptionalIntArrayRef(), /*keepdim=*/false,
                                  at::kDouble)
        .to(at::kFloat);
  }

  void clip_grads(at::Tensor& grads_flat, const at::Tensor& norm, double max_norm) override {
    grads_flat.mul_(norm.add(1e-6).reciprocal_().mul_(max_norm).clamp_max_(1.0));
  }

  void adamw(const AdamWStep& step, const at::Tensor& grads, at::Tensor& params,
             at::Tensor& exp_avg, at::Tensor& exp_avg_sq) override {
    if (step.weight_decay != 0) params.mul_(1 - step.lr * step.weight_decay);
    exp_avg.lerp_(grads, 1 - step.beta1);
    exp_avg_sq.mul_(step.beta2).addcmul_(grads, grads, 1 - step.beta2);
    auto denominator = exp_avg_sq.sqrt();
    denominator.div_(std::sqrt(step.correction2)).add_(step.eps);
    params.addcdiv_(exp_avg, denominator, -step.lr / step.correction1);
  }

 private:
  /// What computes the products of this tensor's device; null: ATen.
  LtProducts* lt_of(const at::Tensor& x) {
    if (gpu_sums_ != GpuSums::kFixed || !x.is_cuda()) return nullptr;
    if (!lt_) lt_ = std::make_unique<LtProducts>();
    return lt_.get();
  }

  at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
    auto c = at::empty({a.size(0), b.size(1)}, a.options());
    product_into(c, a, b);
    return c;
  }

  void product_into(at::Tensor c, const at::Tensor& a, const at::Tensor& b) {
    if (auto* const lt = lt_of(c)) {
      lt->run(c, a, b);
    } else {
      at::mm_out(c, a, b);
    }
  }

  /// c += scale a b.
  void add_product(at::Tensor c, const at::Tensor& a, const at::Tensor& b, double scale) {
    if (auto* const lt = lt_of(c)) {
      lt->run(c, a, b, static_cast<float>(scale), 1);
    } else {
      c.addmm_(a, b, 1, scale);
    }
  }

  /// grad += scale left^T right, the sum over the tokens. By ATen through the compute dtype, as
  /// torch.autocast does.
  void add_token_sum(at::Tensor grad, const at::Tensor& left, const at::Tensor& right,
                     double scale) {
    if (auto* const lt = lt_of(grad)) {
      add_product_in_parts(grad, left, right, scale, *lt);
    } else if (left.scalar_type() == at::kFloat) {
      grad.addmm_(left.t(), right, 1, scale);
    } else {
      grad.add_(at::mm(left.t(), right).to(at::kFloat), scale);
    }
  }

  GpuSums gpu_sums_;
  std::unique_ptr<LtProducts> lt_;
};

}  // namespace

std::unique_ptr<OpSet> make_torch_ops(GpuSums gpu_sums) {
  return std::make_unique<TorchOps>(gpu_sums);
}

}  // namespace twinrun::trainer
