#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

#include "trainer/ops/rope_config.h"

namespace twinrun::trainer {

/// A model file that is wrong, and how; the caller can fix it (exit code 2).
struct ModelError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The fields of a config.json of Llama or Mistral that twinrun computes with.
struct ModelConfig {
  std::int64_t vocab_size = 0, hidden_size = 0, intermediate_size = 0;
  std::int64_t num_hidden_layers = 0, num_attention_heads = 0, num_key_value_heads = 0;
  std::int64_t head_dim = 0;  ///< hidden_size / num_attention_heads unless the file says
  RopeConfig rope;
  double rms_norm_eps = 1e-6;
  /// Newest keys that a query attends to, its own included (Mistral); 0: all.
  std::int64_t sliding_window = 0;
  bool tie_word_embeddings = false;
  std::int64_t pad_token_id = 0;             ///< the file's, else its (first) eos_token_id, else 0
  std::optional<std::int64_t> eos_token_id;  ///< the file's, the first of a list
  /// max_position_embeddings: positions that the model was made for. Nothing is computed with it.
  std::optional<std::int64_t> max_positions;
};

/// Reads a Hugging Face config.json of model_type `llama` or `mistral` (top-level rope_theta and
/// rope_scaling, or transformers 5's rope_parameters). A field that is missing is what transformers
/// takes for that model_type.
///
/// Throws ModelError (file, field, value) for a missing or ill-typed field, sizes that do not fit
/// each other, and by name for every field that would change the result and is not built: another
/// model_type or hidden_act, rope scaling other than `llama3`, biases, quantization, a field nobody
/// knows.
ModelConfig read_model_config(const std::filesystem::path& config_json);

}  // namespace twinrun::trainer
