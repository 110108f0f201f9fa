#pragma once

#include <functional>
#include <memory>

#include "harness/protocol/eval.h"
#include "trainer/data/held_out.h"
#include "trainer/infer/generate.h"
#include "trainer/model/llama.h"
#include "trainer/tokenizer/tokenizer.h"
#include "trainer/train/train_config.h"

namespace twinrun::trainer {

/// What a run makes of a held-out file on its way (docs/protocol.md section 13): the loss of each
/// row and, where the case wants them, greedy answers, without dropout. It draws no random number
/// and writes into nothing that training reads, so that no bit of a step depends on it.
class Evaluation {
 public:
  /// Reads the file. The model is another one over the same weights and adapter, since one keeps
  /// what depends on the inputs it has seen.
  ///
  /// Throws ConfigError where the file is no longer the one that the case named, and DataError for
  /// a row that cannot be used. REQUIRES: config.evaluation.
  Evaluation(const TrainConfig& config, const ModelConfig& model,
             std::unique_ptr<const Tokenizer> tokenizer, const LlamaWeights& weights, OpSet& ops,
             Adapter& adapter, at::Device device);

  /// Of the file in which run() has its results written.
  protocol::EvalHeader header() const;

  /// Evaluates every row with the adapter as it is now, `step` being the last one done. Hands the
  /// results over in order, batch by batch. Throws std::runtime_error where one is not finite.
  void run(std::int64_t step, const std::function<void(const protocol::EvalItem&)>& take);

 private:
  void require_room(const ModelConfig& model) const;

  EvaluationConfig wanted_;
  std::string identity_;
  std::int64_t last_step_;
  std::unique_ptr<const Tokenizer> tokenizer_;
  HeldOut data_;
  GenerateOptions generate_;
  Llama model_;
  at::Device device_;
};

}  // namespace twinrun::trainer
