#include "trainer/model/llama.h"

#include <ATen/ATen.h>

namespace twinrun::trainer {

/// What a block's forward leaves for its backward.
struct Llama::BlockSaved {
  std::int64_t rows = 0;
  at::Tensor x_ND, x2_ND;  ///< residual stream before attention and before the MLP
  at::Tensor rstd_N1, rstd2_N1;
  at::Tensor q_BHTE, k_BKTE, v_BKTE;
  AttentionOutput attention;
  at::Tensor gate_NI, up_NI;
  std::array<LoraSaved, 7> lora;
};

Llama::Llama(const ModelConfig& config, LlamaWeights weights, OpSet& ops, Adapter* adapter,
             bool activation_checkpointing)
    : config_(config),
      weights_(std::move(weights)),
      ops_(ops),
      adapter_(adapter),
      activation_checkpointing_(activation_checkpointing) {}

void Llama::prepare_rope(std::int64_t length) {
  if (cos_TE_.defined() && cos_TE_.size(0) >= length) return;
  std::tie(cos_TE_, sin_TE_) =
      ops_.rope_tables(config_.rope, config_.head_dim, length, weights_.embed_tokens.options());
}

std::int64_t Llama::prepare_attention(std::int64_t rows, std::int64_t length,
                                      std::vector<Segment> segments) {
  layout_ = make_layout(rows, length, std::move(segments), config_.sliding_window,
                        weights_.embed_tokens.device());
  prepare_rope(layout_.longest);
  const bool packed = !layout_.segments.empty();
  const auto of_positions = [&](const at::Tensor& table_TE) {
    return packed ? table_TE.index_select(0, layout_.positions_N)
                  : table_TE.narrow(0, 0, layout_.longest);
  };
  cos_ = of_positions(cos_TE_);
  sin_ = of_positions(sin_TE_);
  return packed ? 1 : rows;
}

at::Tensor Llama::linear(std::int64_t layer, LinearModule module, const at::Tensor& x_NI,
                         BlockSaved* saved) {
  const auto m = static_cast<std::size_t>(module);
  auto key = dropout_;
  key.layer = static_cast<std::uint32_t>(layer);
  key.module = module;
  return ops_.lora_linear(x_NI, weights_.layers[static_cast<std::size_t>(layer)].linears[m],
                          adapter_ ? adapter_->weights(layer, module) : nullptr, key,
                          saved ? &saved->lora[m] : nullptr);
}

at::Tensor Llama::linear_backward(std::int64_t layer, LinearModule module, const at::Tensor& dy_NO,
                                  const BlockSaved& saved, at::Tensor dx_NI, bool need_dx) {
  const auto m = static_cast<std::size_t>(module);
  return ops_.lora_linear_backward(dy_NO,
                                   weights_.layers[static_cast<std::size_t>(layer)].linears[m],
                                   adapter_->weights(layer, module), saved.lora[m],
                                   adapter_->grads(layer, module), std::move(dx_NI), need_dx);
}

at::Tensor Llama::block(std::int64_t layer, at::Tensor x, std::int64_t rows, BlockSaved* saved,
                        KvCache* cache) {
  const auto& w = weights_.layers[static_cast<std::size_t>(layer)];
  const auto length = x.size(0) / rows;
  const auto heads = [&](const at::Tensor& t, std::int64_t count) {
    return t.view({rows, length, count, config_.head_dim}).transpose(1, 2);
  };
  const auto norm1 = ops_.rms_norm(x, w.input_norm, config_.rms_norm_eps);
  const auto q = ops_.rope(
      heads(linear(layer, LinearModule::kQProj, norm1.y_ND, saved), config_.num_attention_heads),
      cos_, sin_);
  const auto k = ops_.rope(
      heads(linear(layer, LinearModule::kKProj, norm1.y_ND, saved), config_.num_key_value_heads),
      cos_, sin_);
  const auto v =
      heads(linear(layer, LinearModule::kVProj, norm1.y_ND, saved), config_.num_key_value_heads);
  if (cache != nullptr) {
    const auto l = static_cast<std::size_t>(layer);
    cache->keys_BKCE[l].narrow(2, 0, length).copy_(k);
    cache->values_BKCE[l].narrow(2, 0, length).copy_(v);
  }
  const auto attention = ops_.attention(q, k, v, layout_);
  const auto o = attention.o_BHTE.transpose(1, 2).reshape({x.size(0), -1});
  if (saved != nullptr) {
    saved->rows = rows;
    saved->x_ND = x;
    saved->rstd_N1 = norm1.rstd_N1;
    saved->q_BHTE = q;
    saved->k_BKTE = k;
    saved->v_BKTE = v;
    saved->attention = attention;
  }
  return behind_attention(layer, x, o, saved);
}

at::Tensor Llama::behind_attention(std::int64_t layer, const at::Tensor& x, const at::Tensor& o,
                                   BlockSaved* saved) {
  const auto& w = weights_.layers[static_cast<std::size_t>(layer)];
  const auto x2 = x + linear(layer, LinearModule::kOProj, o, saved);
  const auto norm2 = ops_.rms_norm(x2, w.post_norm, config_.rms_norm_eps);
  const auto gate = linear(layer, LinearModule::kGateProj, norm2.y_ND, saved);
  const auto up = linear(layer, LinearModule::kUpProj, norm2.y_ND, saved);
  const auto y = x2 + linear(layer, LinearModule::kDownProj, ops_.swiglu(gate, up), saved);
  if (saved != nullptr) {
    saved->x2_ND = x2;
    saved->rstd2_N1 = norm2.rstd_N1;
    saved->gate_NI = gate;
    saved->up_NI = up;
  }
  return y;
}

at::Tensor Llama::block_backward(std::int64_t layer, at::Tensor dy, const BlockSaved& s) {
  const auto& w = weights_.layers[static_cast<std::size_t>(layer)];
  const auto length = dy.size(0) / s.rows;
  const auto flat = [&](const at::Tensor& t) {
    return t.transpose(1, 2).reshape({dy.size(0), -1});
  };

  const auto dact = linear_backward(layer, LinearModule::kDownProj, dy, s, {}, true);
  const auto [dgate, dup] = ops_.swiglu_backward(dact, s.gate_NI, s.up_NI);
  // Fan-in of the normed input: gate, then up.
  auto dnorm2 = linear_backward(layer, LinearModule::kGateProj, dgate, s, {}, true);
  dnorm2 = linear_backward(layer, LinearModule::kUpProj, dup, s, dnorm2, true);
  // Fan-in of the residual stream: what passes by, then the branch.
  const auto dx2 = ops_.rms_norm_backward(dnorm2, s.x2_ND, s.rstd2_N1, w.post_norm, dy);

  const auto dout = linear_backward(layer, LinearModule::kOProj, dx2, s, {}, true)
                        .view({s.rows, length, config_.num_attention_heads, config_.head_dim})
                        .transpose(1, 2);
  const auto d = ops_.attention_backward(dout, s.q_BHTE, s.k_BKTE, s.v_BKTE, s.attention, layout_);
  const auto dq = flat(ops_.rope_backward(d.dq_BHTE, cos_, sin_));
  const auto dk = flat(ops_.rope_backward(d.dk_BKTE, cos_, sin_));
  const auto dv = flat(d.dv_BKTE);
  // Below the first block lies the frozen embedding: nothing needs its gradient.
  const bool need_dx = layer > 0;
  // Fan-in of the normed input: q, then k, then v.
  auto dnorm1 = linear_backward(layer, LinearModule::kQProj, dq, s, {}, need_dx);
  dnorm1 = linear_backward(layer, LinearModule::kKProj, dk, s, dnorm1, need_dx);
  dnorm1 = linear_backward(layer, LinearModule::kVProj, dv, s, dnorm1, need_dx);
  if (!need_dx) return {};
  return ops_.rms_norm_backward(dnorm1, s.x_ND, s.rstd_N1, w.input_norm, dx2);
}

at::Tensor Llama::forward_backward(const DeviceBatch& batch, double grad_scale,
                                   const DropoutKey& dropout) {
  dropout_ = dropout;
  const auto rows = prepare_attention(batch.rows, batch.length, batch.segments);
  std::vector<BlockSaved> saved(weights_.layers.size());
  auto x = ops_.embedding(batch.ids_N, weights_.embed_tokens);
  for (std::size_t layer = 0; layer < saved.size(); ++layer) {
    saved[layer].x_ND = x;
    x = block(static_cast<std::int64_t>(layer), x, rows,
              activation_checkpointing_ ? nullptr : &saved[layer]);
  }
  // Logits of unlabelled positions are never computed.
  const auto x_LD = x.index_select(0, batch.positions_L);
  const auto norm = ops_.rms_norm(x_LD, weights_.norm, config_.rms_norm_eps);
  const auto loss =
      ops_.linear_cross_entropy(norm.y_ND, weights_.lm_head, batch.targets_L, grad_scale);
  auto dx = at::zeros_like(x);
  dx.index_copy_(0, batch.positions_L,
                 ops_.rms_norm_backward(loss.dx_LD, x_LD, norm.rstd_N1, weights_.norm, {}));
  for (std::size_t layer = saved.size(); layer-- > 0;) {
    if (activation_checkpointing_) {
      block(static_cast<std::int64_t>(layer), saved[layer].x_ND, rows, &saved[layer]);
    }
    dx = block_backward(static_cast<std::int64_t>(layer), dx, saved[layer]);
    saved[layer] = {};
  }
  return loss.loss_sum;
}

at::Tensor Llama::all_blocks(const at::Tensor& ids_N, std::int64_t rows, KvCache* cache) {
  dropout_ = {};
  auto x = ops_.embedding(ids_N, weights_.embed_tokens);
  for (std::size_t layer = 0; layer < weights_.layers.size(); ++layer) {
    x = block(static_cast<std::int64_t>(layer), x, rows, nullptr, cache);
  }
  return x;
}

at::Tensor Llama::hidden(const at::Tensor& ids_BT, KvCache* cache) {
  prepare_attention(ids_BT.size(0), ids_BT.size(1), {});
  return all_blocks(ids_BT.reshape(-1), ids_BT.size(0), cache);
}

at::Tensor Llama::head(const at::Tensor& x_LD) {
  const auto norm = ops_.rms_norm(x_LD, weights_.norm, config_.rms_norm_eps);
  return ops_.lora_linear(norm.y_ND, weights_.lm_head, nullptr, {}, nullptr).to(at::kFloat);
}

at::Tensor Llama::logits(const at::Tensor& ids_BT, std::vector<Segment> segments) {
  const auto rows = prepare_attention(ids_BT.size(0), ids_BT.size(1), std::move(segments));
  return head(all_blocks(ids_BT.reshape(-1), rows, nullptr))
      .view({ids_BT.size(0), ids_BT.size(1), -1});
}

at::Tensor Llama::log_probs(const at::Tensor& x_LD) { return ops_.log_softmax(head(x_LD)); }

}  // namespace twinrun::trainer
