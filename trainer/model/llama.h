#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "trainer/lora/adapter.h"
#include "trainer/model/model_config.h"
#include "trainer/ops/op_set.h"

namespace twinrun::trainer {

/// Frozen weights as Hugging Face names them, in the compute dtype, on the device.
struct LlamaWeights {
  struct Layer {
    at::Tensor input_norm, post_norm;
    std::array<at::Tensor, 7> linears;  ///< by LinearModule
  };
  at::Tensor embed_tokens, norm, lm_head;  ///< lm_head is embed_tokens where tied
  std::vector<Layer> layers;
  std::vector<NamedTensor> named;  ///< every tensor once, by its name in the files
};

/// Reads a checkpoint folder: one file or shards, of F32, BF16 and F16, each converted to `dtype`
/// (to nearest even). Throws ModelError (file, tensor, what).
LlamaWeights load_llama(const std::filesystem::path& folder, const ModelConfig& config,
                        at::ScalarType dtype, at::Device device);

/// Weights of an `init: random` model: docs/numerics.md.
LlamaWeights random_llama(const ModelConfig& config, std::uint64_t seed, at::ScalarType dtype,
                          at::Device device);

/// A micro-batch on the device.
struct DeviceBatch {
  std::int64_t rows = 0, length = 0;
  at::Tensor ids_N;        ///< int64
  at::Tensor positions_L;  ///< int64: flat positions whose next token is labelled
  at::Tensor targets_L;    ///< int64: those next tokens
  /// Where rows hold several samples each: all of them, and padding as segments of its own. No
  /// position sees another segment, and each segment's first position is position 0. Ascending,
  /// together all rows x length positions, none across a row; empty: each row is one.
  std::vector<Segment> segments{};
};

/// Keys and values of what a batch has seen, for Llama::decode.
struct KvCache {
  /// Of each row: positions that count. What lies behind them is padding, and the next token's
  /// place.
  std::vector<std::int64_t> lengths;
  std::vector<at::Tensor> keys_BKCE, values_BKCE;  ///< by layer; C: positions there is room for
};

/// A Llama-family decoder with LoRA: forward and written-out backward over an op set.
/// Call under c10::InferenceMode: there is no autograd graph to record.
/// Touvron et al., arXiv:2302.13971; grouped queries: Ainslie et al., arXiv:2305.13245.
class Llama {
 public:
  /// `activation_checkpointing`: a block keeps its input alone and computes the rest again in its
  /// backward, which takes more time and far less memory; where the ops repeat their bits, the
  /// gradients are the same.
  Llama(const ModelConfig& config, LlamaWeights weights, OpSet& ops, Adapter* adapter,
        bool activation_checkpointing = false);

  /// Adds the adapter's gradients of `grad_scale` x the sum of the labelled tokens' negative
  /// log-likelihoods; returns that sum (float32 scalar, unscaled, on the device).
  at::Tensor forward_backward(const DeviceBatch& batch, double grad_scale,
                              const DropoutKey& dropout);

  /// Logits of every position, float32 [B, T, V], without dropout; `segments` as in DeviceBatch.
  at::Tensor logits(const at::Tensor& ids_BT, std::vector<Segment> segments = {});

  // Answers, without dropout: hidden() of the prompts, then decode() token by token, log_probs() of
  // the rows that are wanted.

  /// Room for rows of `lengths` positions to grow up to `capacity`.
  KvCache make_cache(std::vector<std::int64_t> lengths, std::int64_t capacity);

  /// The residual stream behind the last block, [B T, D]. With a `cache` its keys and values stay
  /// there; T must not be beyond its capacity.
  at::Tensor hidden(const at::Tensor& ids_BT, KvCache* cache);

  /// The same for one more token of each row, [B, D], at the position behind what the row has.
  at::Tensor decode(const at::Tensor& ids_B, KvCache& cache);

  /// Log-probabilities of the vocabulary, float32 [L, V], for rows of the residual stream.
  at::Tensor log_probs(const at::Tensor& x_LD);

  const LlamaWeights& weights() const { return weights_; }

 private:
  struct DecodeStep;
  struct BlockSaved;
  /// The residual stream behind the last block; prepare_attention() has been called.
  at::Tensor all_blocks(const at::Tensor& ids_N, std::int64_t rows, KvCache* cache);
  at::Tensor block(std::int64_t layer, at::Tensor x_ND, std::int64_t rows, BlockSaved* saved,
                   KvCache* cache = nullptr);
  at::Tensor decode_block(std::int64_t layer, const at::Tensor& x_BD, const DecodeStep& step,
                          KvCache& cache);
  /// What follows attention in a block: output projection and MLP, each with its residual.
  at::Tensor behind_attention(std::int64_t layer, const at::Tensor& x_ND, const at::Tensor& o_NH,
                              BlockSaved* saved);
  at::Tensor head(const at::Tensor& x_LD);
  at::Tensor block_backward(std::int64_t layer, at::Tensor dy_ND, const BlockSaved& saved);
  at::Tensor linear(std::int64_t layer, LinearModule module, const at::Tensor& x_NI,
                    BlockSaved* saved);
  at::Tensor linear_backward(std::int64_t layer, LinearModule module, const at::Tensor& dy_NO,
                             const BlockSaved& saved, at::Tensor dx_NI, bool need_dx);
  void prepare_rope(std::int64_t length);
  /// What the next block() calls attend to, and their angles. Returns the rows that they have:
  /// segments say all about who sees whom, so with them it is one.
  std::int64_t prepare_attention(std::int64_t rows, std::int64_t length,
                                 std::vector<Segment> segments);

  ModelConfig config_;
  LlamaWeights weights_;
  OpSet& ops_;
  Adapter* adapter_;
  bool activation_checkpointing_;
  DropoutKey dropout_;
  at::Tensor cos_TE_, sin_TE_;  ///< for the longest input so far
  AttentionLayout layout_;
  at::Tensor cos_, sin_;  ///< of the positions of layout_
};

}  // namespace twinrun::trainer
