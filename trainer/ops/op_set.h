#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "trainer/data/philox.h"
#include "trainer/ops/attention_layout.h"
#include "trainer/ops/rope_config.h"

namespace twinrun::trainer {

// Shape suffixes: B rows, T tokens a row, N = B T, D hidden, H query heads, K key/value heads,
// C cached positions, E head size, I/O in/out features, R LoRA rank, V vocabulary, L labelled
// positions.

/// Which dropout mask: docs/numerics.md, "Dropout". Every module of every layer has its own.
struct DropoutKey {
  std::uint64_t seed = 0;
  std::uint32_t layer = 0;
  LinearModule module = LinearModule::kQProj;
  std::uint32_t step = 0, micro_batch = 0;
  double p = 0;  ///< 0 switches dropout off
};

/// The trainable part of a linear: views into the adapter's buffers, in the compute dtype.
/// Hu et al., arXiv:2106.09685, section 4.1.
struct LoraWeights {
  at::Tensor a_RI, b_OR;
  double scaling = 0;  ///< LoraConfig::scaling()
};

/// Gradients of a LoraWeights: float32 views, added to.
struct LoraGrads {
  at::Tensor a_RI, b_OR;
};

/// What lora_linear keeps for its backward. The dropped input is made again.
struct LoraSaved {
  at::Tensor x_NI, h_NR;
  DropoutKey dropout;
  at::Tensor mask;  ///< of the dropout (dropout.h), where an implementation keeps it
};

struct NormOutput {
  at::Tensor y_ND;
  at::Tensor rstd_N1;  ///< float32
};

/// Attention output and what its backward needs besides the inputs.
struct AttentionOutput {
  at::Tensor o_BHTE, logsumexp;
  at::Tensor philox_seed, philox_offset;  ///< of the vendor's kernel, which draws nothing here
};

struct AttentionGrads {
  at::Tensor dq_BHTE, dk_BKTE, dv_BKTE;
};

/// Which cached positions the newest token of each row attends to: of row b the first lengths[b],
/// with a window w the last w of these.
struct VisiblePositions {
  std::vector<std::int64_t> lengths;
  std::int64_t window = 0;   ///< 0: none
  std::int64_t longest = 0;  ///< the largest of lengths
  at::Tensor bias_BT;        ///< the same on the device: float32 [B, longest], 0 or -infinity
};

/// Sum of the negative log-likelihoods of all rows, and its gradient.
struct LossOutput {
  at::Tensor loss_sum;  ///< float32 scalar
  at::Tensor dx_LD;     ///< of loss_sum x grad_scale, in the dtype of x
};

/// What an AdamW step needs besides its tensors, in host doubles.
struct AdamWStep {
  double lr = 0, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  double correction1 = 1, correction2 = 1;  ///< 1 - beta1^t, 1 - beta2^t
};

/// Everything a LoRA step computes, forward and backward, without an autograd graph. The model is
/// written once against it; a numerics mode is an implementation.
///
/// The compute dtype (float32 or bfloat16) is that of x; with bfloat16, norms, softmax and loss are
/// float32 inside (as torch.autocast). Every function throws c10::Error on shapes that do not fit.
class OpSet {
 public:
  virtual ~OpSet() = default;

  /// What follows belongs to training step `step` (from 1). Matters only where sums are shuffled
  /// (NumericsOptions::shuffle_reductions).
  virtual void begin_step(std::int64_t /*step*/) {}

  /// Rows of `weight_VD`; frozen, so it has no backward.
  virtual at::Tensor embedding(const at::Tensor& ids_N, const at::Tensor& weight_VD) = 0;

  /// Zhang and Sennrich, arXiv:1910.07467: x rsqrt(mean(x^2) + eps) weight.
  virtual NormOutput rms_norm(const at::Tensor& x_ND, const at::Tensor& weight_D, double eps) = 0;
  /// `residual_ND` + the gradient: what passes the norm by, then the norm. Undefined: none passes.
  virtual at::Tensor rms_norm_backward(const at::Tensor& dy_ND, const at::Tensor& x_ND,
                                       const at::Tensor& rstd_N1, const at::Tensor& weight_D,
                                       const at::Tensor& residual_ND) = 0;

  /// y = x weight^T + scaling dropout(x) a^T b^T; `lora` null: the frozen product alone.
  virtual at::Tensor lora_linear(const at::Tensor& x_NI, const at::Tensor& weight_OI,
                                 const LoraWeights* lora, const DropoutKey& dropout,
                                 LoraSaved* saved) = 0;
  /// Adds to `grads`; returns `dx` + this linear's input gradient (`dx` undefined: none so far), or
  /// an undefined tensor if `need_dx` is false. Order of the sum: dx, then dy W, then the LoRA
  /// part.
  virtual at::Tensor lora_linear_backward(const at::Tensor& dy_NO, const at::Tensor& weight_OI,
                                          const LoraWeights* lora, const LoraSaved& saved,
                                          const LoraGrads* grads, at::Tensor dx_NI,
                                          bool need_dx) = 0;

  /// Cosines and sines [T, E] of the angles position x frequency i, i = 0 .. E/2 - 1, twice side by
  /// side; of `options`.
  virtual std::pair<at::Tensor, at::Tensor> rope_tables(const RopeConfig& rope,
                                                        std::int64_t head_dim, std::int64_t length,
                                                        const at::TensorOptions& options) = 0;
  /// Rotates halves of each head: Su et al., arXiv:2104.09864, in the layout of Llama checkpoints.
  /// `cos`, `sin` [T, E] in the compute dtype. The backward is the rotation by the opposite angle.
  virtual at::Tensor rope(const at::Tensor& x_BHTE, const at::Tensor& cos_TE,
                          const at::Tensor& sin_TE) = 0;
  virtual at::Tensor rope_backward(const at::Tensor& dy_BHTE, const at::Tensor& cos_TE,
                                   const at::Tensor& sin_TE) = 0;

  /// Causal attention with softmax(q k^T / sqrt(E)) v; H is a multiple of K (grouped queries).
  /// `layout` says what each position sees: of another segment, or before its window, nothing.
  /// Padding on the right needs no mask: no labelled position sees it.
  virtual AttentionOutput attention(const at::Tensor& q_BHTE, const at::Tensor& k_BKTE,
                                    const at::Tensor& v_BKTE, const AttentionLayout& layout) = 0;
  virtual AttentionGrads attention_backward(const at::Tensor& do_BHTE, const at::Tensor& q_BHTE,
                                            const at::Tensor& k_BKTE, const at::Tensor& v_BKTE,
                                            const AttentionOutput& saved,
                                            const AttentionLayout& layout) = 0;

  /// The attention of one token a row to what is cached, itself included; [B, H, E].
  virtual at::Tensor cached_attention(const at::Tensor& q_BHE, const at::Tensor& k_BKCE,
                                      const at::Tensor& v_BKCE,
                                      const VisiblePositions& visible) = 0;

  /// silu(gate) up. Shazeer, arXiv:2002.05202.
  virtual at::Tensor swiglu(const at::Tensor& gate_NI, const at::Tensor& up_NI) = 0;
  /// (dgate, dup).
  virtual std::pair<at::Tensor, at::Tensor> swiglu_backward(const at::Tensor& dy_NI,
                                                            const at::Tensor& gate_NI,
                                                            const at::Tensor& up_NI) = 0;

  /// Logits x weight^T, their cross entropy against `labels_L` and its gradient, in chunks of rows
  /// so that [L, V] never exists whole.
  virtual LossOutput linear_cross_entropy(const at::Tensor& x_LD, const at::Tensor& weight_VD,
                                          const at::Tensor& labels_L, double grad_scale) = 0;

  /// z - log(sum of exp(z)) of each row; float32.
  virtual at::Tensor log_softmax(const at::Tensor& logits_LV) = 0;

  // Over whole float32 buffers, on the device, without a host round trip.

  /// sum += part: what one more micro-batch brings.
  virtual void add_(at::Tensor& sum, const at::Tensor& part) = 0;
  /// x /= divisor.
  virtual void divide_(at::Tensor& x, double divisor) = 0;
  /// L2 norm, summed in double, rounded to float32.
  virtual at::Tensor grad_norm(const at::Tensor& grads_flat) = 0;
  /// torch.nn.utils.clip_grad_norm_: grads x min(1, max_norm / (norm + 1e-6)).
  virtual void clip_grads(at::Tensor& grads_flat, const at::Tensor& norm, double max_norm) = 0;
  /// As torch.optim.AdamW computes it. Loshchilov and Hutter, arXiv:1711.05101.
  virtual void adamw(const AdamWStep& step, const at::Tensor& grads, at::Tensor& params,
                     at::Tensor& exp_avg, at::Tensor& exp_avg_sq) = 0;
};

struct NumericsOptions;
/// The implementation that `options.mode` names; `options.isa` picks the CPU kernels of `portable`,
/// and the environment those of the vendor (prepare_environment).
std::unique_ptr<OpSet> make_ops(const NumericsOptions& options);

}  // namespace twinrun::trainer
