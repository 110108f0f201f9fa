#include "trainer/ops/torch/torch_ops.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>
#include <optional>
#include <tuple>

#include "trainer/ops/dropout.h"
#include "trainer/ops/torch/attention.h"
#include "trainer/ops/torch/fused.h"
#include "trainer/ops/torch/lt_products.h"
#include "trainer/ops/torch/reduction_shuffle.h"
#include "trainer/ops/torch/token_parts.h"

namespace twinrun::trainer {
namespace {

/// Rows of logits that exist at one time: 1,024 x 49,152 float32 are 200 MB.
constexpr std::int64_t kLossChunkRows = 1024;

/// In float32, operation by operation as transformers computes it: the same bits.
at::Tensor inv_freq(const RopeConfig& rope, std::int64_t head_dim) {
  const auto exponent = at::arange(0, head_dim, 2, at::kFloat) / static_cast<double>(head_dim);
  const auto f = at::pow(rope.theta, exponent).reciprocal();
  if (!rope.llama3) return f;
  const auto& l = *rope.llama3;
  const auto positions = static_cast<double>(l.original_max_positions);
  const auto wavelength = f.reciprocal() * (2 * std::numbers::pi);
  const auto is_low = wavelength > positions / l.low_freq_factor;
  const auto is_high = wavelength < positions / l.high_freq_factor;
  const auto slowed = at::where(is_low, f / l.factor, f);
  const auto smooth = (wavelength.reciprocal() * positions - l.low_freq_factor) /
                      (l.high_freq_factor - l.low_freq_factor);
  const auto between = at::rsub(smooth, 1) * slowed / l.factor + smooth * slowed;
  return at::where(is_low.logical_or(is_high), slowed, between);
}

class TorchOps final : public OpSet {
 public:
  TorchOps(GpuSums gpu_sums, std::optional<std::uint64_t> shuffle_reductions)
      : gpu_sums_(gpu_sums) {
    if (shuffle_reductions) shuffle_.emplace(*shuffle_reductions);
  }

  void begin_step(std::int64_t step) override {
    if (shuffle_) shuffle_->begin_step(step);
  }

  at::Tensor embedding(const at::Tensor& ids_N, const at::Tensor& weight_VD) override {
    return weight_VD.index_select(0, ids_N);
  }

  NormOutput rms_norm(const at::Tensor& x_ND, const at::Tensor& weight_D, double eps) override {
    if (x_ND.is_cuda()) return fused::rms_norm(x_ND, weight_D, eps);
    const auto x = x_ND.to(at::kFloat);
    const auto rstd = (x * x).mean(-1, /*keepdim=*/true).add_(eps).rsqrt_();
    return {(x * rstd).to(x_ND.scalar_type()).mul_(weight_D), rstd};
  }

  at::Tensor rms_norm_backward(const at::Tensor& dy_ND, const at::Tensor& x_ND,
                               const at::Tensor& rstd_N1, const at::Tensor& weight_D,
                               const at::Tensor& residual_ND) override {
    if (x_ND.is_cuda())
      return fused::rms_norm_backward(dy_ND, x_ND, rstd_N1, weight_D, residual_ND);
    const auto normed = x_ND.to(at::kFloat) * rstd_N1;
    const auto wdy = dy_ND.to(at::kFloat) * weight_D.to(at::kFloat);
    const auto mean = (wdy * normed).mean(-1, /*keepdim=*/true);
    const auto dx = wdy.sub(normed.mul(mean)).mul_(rstd_N1).to(x_ND.scalar_type());
    return residual_ND.defined() ? residual_ND + dx : dx;
  }

  at::Tensor lora_linear(const at::Tensor& x_NI, const at::Tensor& weight_OI,
                         const LoraWeights* lora, const DropoutKey& dropout_key,
                         LoraSaved* saved) override {
    auto y = product(x_NI, weight_OI.t());
    if (lora == nullptr) return y;
    at::Tensor mask;
    const auto dropped =
        dropout_key.p > 0 ? dropout(x_NI, dropout_key, saved != nullptr ? &mask : nullptr) : x_NI;
    const auto h = product(dropped, lora->a_RI.t());
    add_product(y, h, lora->b_OR.t(), lora->scaling);
    if (saved != nullptr) *saved = {x_NI, h, dropout_key, mask};
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
    auto mask = saved.mask;
    add_token_sum(grads->a_RI, dh, drops ? dropout(saved.x_NI, saved.dropout, &mask) : saved.x_NI,
                  1);
    if (!need_dx) return dx_NI;
    if (drops) {
      dropout_add_(dx_NI, product(dh, lora->a_RI), saved.dropout, mask);
    } else {
      add_product(dx_NI, dh, lora->a_RI, 1);
    }
    return dx_NI;
  }

  std::pair<at::Tensor, at::Tensor> rope_tables(const RopeConfig& rope, std::int64_t head_dim,
                                                std::int64_t length,
                                                const at::TensorOptions& options) override {
    // In float32 on the host, as transformers computes them; then as `options` say.
    const auto angles = at::outer(at::arange(length, at::kFloat), inv_freq(rope, head_dim));
    const auto both = at::cat({angles, angles}, -1);
    return {both.cos().to(options), both.sin().to(options)};
  }

  at::Tensor rope(const at::Tensor& x_BHTE, const at::Tensor& cos_TE,
                  const at::Tensor& sin_TE) override {
    if (x_BHTE.is_cuda()) return fused::rope(x_BHTE, cos_TE, sin_TE, /*backward=*/false);
    const auto half = x_BHTE.size(-1) / 2;
    const auto rotated =
        at::cat({x_BHTE.narrow(-1, half, half).neg(), x_BHTE.narrow(-1, 0, half)}, -1);
    return (x_BHTE * cos_TE).add_(rotated.mul_(sin_TE));
  }

  at::Tensor rope_backward(const at::Tensor& dy_BHTE, const at::Tensor& cos_TE,
                           const at::Tensor& sin_TE) override {
    if (dy_BHTE.is_cuda()) return fused::rope(dy_BHTE, cos_TE, sin_TE, /*backward=*/true);
    const auto half = dy_BHTE.size(-1) / 2;
    const auto scaled = dy_BHTE * sin_TE;
    const auto rotated =
        at::cat({scaled.narrow(-1, half, half), scaled.narrow(-1, 0, half).neg()}, -1);
    return (dy_BHTE * cos_TE).add_(rotated);
  }

  AttentionOutput attention(const at::Tensor& q_BHTE, const at::Tensor& k_BKTE,
                            const at::Tensor& v_BKTE, const AttentionLayout& layout) override {
    return torch_attention(q_BHTE, k_BKTE, v_BKTE, layout);
  }

  AttentionGrads attention_backward(const at::Tensor& do_BHTE, const at::Tensor& q_BHTE,
                                    const at::Tensor& k_BKTE, const at::Tensor& v_BKTE,
                                    const AttentionOutput& saved,
                                    const AttentionLayout& layout) override {
    return torch_attention_backward(do_BHTE, q_BHTE, k_BKTE, v_BKTE, saved, layout);
  }

  at::Tensor cached_attention(const at::Tensor& q_BHE, const at::Tensor& k_BKCE,
                              const at::Tensor& v_BKCE, const VisiblePositions& visible) override {
    return torch_cached_attention(q_BHE, k_BKCE, v_BKCE, visible);
  }

  at::Tensor swiglu(const at::Tensor& gate_NI, const at::Tensor& up_NI) override {
    if (gate_NI.is_cuda()) return fused::swiglu(gate_NI, up_NI);
    return at::silu(gate_NI).mul_(up_NI);
  }

  std::pair<at::Tensor, at::Tensor> swiglu_backward(const at::Tensor& dy_NI,
                                                    const at::Tensor& gate_NI,
                                                    const at::Tensor& up_NI) override {
    if (gate_NI.is_cuda()) return fused::swiglu_backward(dy_NI, gate_NI, up_NI);
    auto dup = at::silu(gate_NI).mul_(dy_NI);
    return {at::silu_backward(dy_NI * up_NI, gate_NI), dup};
  }

  LossOutput linear_cross_entropy(const at::Tensor& x_LD, const at::Tensor& weight_VD,
                                  const at::Tensor& labels_L, double grad_scale) override {
    auto dx = at::empty_like(x_LD);
    if (x_LD.is_cuda()) {
      const auto losses = at::empty({x_LD.size(0)}, x_LD.options().dtype(at::kFloat));
      for (std::int64_t begin = 0; begin < x_LD.size(0); begin += kLossChunkRows) {
        const auto rows = std::min(kLossChunkRows, x_LD.size(0) - begin);
        const auto logits = product(x_LD.narrow(0, begin, rows), weight_VD.t());
        fused::cross_entropy_(logits, labels_L.narrow(0, begin, rows), grad_scale,
                              losses.narrow(0, begin, rows));
        product_into(dx.narrow(0, begin, rows), logits, weight_VD);
      }
      return {losses.sum(), dx};
    }
    auto loss_sum = at::zeros({}, x_LD.options().dtype(at::kFloat));
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

  void product_into(at::Tensor c, at::Tensor a, at::Tensor b) {
    if (auto* const lt = lt_of(c)) {
      lt->run(c, a, b);
    } else {
      shuffle(a, b);
      at::mm_out(c, a, b);
    }
  }

  /// c += scale a b.
  void add_product(at::Tensor c, at::Tensor a, at::Tensor b, double scale) {
    if (auto* const lt = lt_of(c)) {
      lt->run(c, a, b, static_cast<float>(scale), 1);
    } else {
      shuffle(a, b);
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
      add_product(grad, left.t(), right, scale);
    } else {
      grad.add_(product(left.t(), right).to(at::kFloat), scale);
    }
  }

  /// Puts what a product sums over into another order, where the run asks for noise.
  void shuffle(at::Tensor& a, at::Tensor& b) {
    if (shuffle_) std::tie(a, b) = shuffle_->operands(a, b);
  }

  GpuSums gpu_sums_;
  std::unique_ptr<LtProducts> lt_;
  std::optional<ReductionShuffle> shuffle_;
};

}  // namespace

std::unique_ptr<OpSet> make_torch_ops(GpuSums gpu_sums,
                                      std::optional<std::uint64_t> shuffle_reductions) {
  return std::make_unique<TorchOps>(gpu_sums, shuffle_reductions);
}

}  // namespace twinrun::trainer
