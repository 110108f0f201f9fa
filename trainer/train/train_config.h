#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness/protocol/run_config.h"
#include "trainer/lora/adapter.h"
#include "trainer/numerics/numerics.h"
#include "trainer/train/optimizer.h"

namespace twinrun::trainer {

/// A configuration that asks for what is not there; the caller can fix it (exit code 2).
struct ConfigError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// launch.evaluation, judgement.evaluation and launch.eval_every (docs/protocol.md section 13).
struct EvaluationConfig {
  std::filesystem::path path;
  std::string sha256;      ///< of the file, hex
  std::int64_t every = 0;  ///< 0: after the last step alone
  std::int64_t max_new_tokens = 0, batch_size = 0, max_length = 0;
};

/// config.json as the trainer consumes it (docs/protocol.md section 2).
struct TrainConfig {
  std::string identity_digest;
  std::filesystem::path model_path;  ///< folder, or the configuration file of a random model
  std::optional<std::uint64_t> random_model_seed;
  std::optional<nlohmann::json> synthetic;  ///< {samples, length, vocab_size, seed}
  std::filesystem::path data_path;
  std::string template_name, loss_on;
  std::int64_t max_length = 0;
  bool packing = false;
  nlohmann::json model_digests, tokenizer_digests, data_digest;  ///< as the identity states them
  LoraConfig lora;
  std::optional<std::filesystem::path> adapter_path;  ///< PEFT folder that training begins with
  nlohmann::json adapter_digests;                     ///< of its two files
  std::int64_t steps = 0, batch_size = 0, gradient_accumulation = 1;
  double max_grad_norm = 1;
  AdamWOptions optimizer;
  double lr = 0;
  std::string schedule;
  std::int64_t warmup_steps = 0;
  std::uint64_t seed_lora_init = 0, seed_dropout = 0, seed_shuffle = 0;
  NumericsOptions numerics;
  std::int64_t tensors_every = 1;
  std::int64_t checkpoint_every = 0;  ///< 0: no checkpoints
  bool activation_checkpointing = false;
  std::int64_t last_step = 0;         ///< stop_after, or steps
  std::int64_t gpu_memory_offset_mb = 0;
  std::optional<EvaluationConfig> evaluation;
  std::vector<std::string> inject;
};

/// Throws ConfigError naming the key for what is missing, of a wrong type, or not built.
TrainConfig read_train_config(const protocol::RunConfig& config);

/// launch.inference, how answers are computed (docs/protocol.md section 10).
struct InferenceConfig {
  std::int64_t max_new_tokens = 0, batch_size = 0, top = 0;
};

/// Defaults where there is no launch.inference, or a key of it is missing. Throws ConfigError where
/// it is no object, or a number not in 1 .. 1,000,000.
InferenceConfig read_inference_config(const protocol::RunConfig& config);

}  // namespace twinrun::trainer
