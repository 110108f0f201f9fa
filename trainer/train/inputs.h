#pragma once

#include <memory>
#include <nlohmann/json.hpp>

#include "trainer/data/dataset.h"
#include "trainer/model/llama.h"
#include "trainer/tokenizer/tokenizer.h"
#include "trainer/train/train_config.h"

namespace twinrun::trainer {

// The files that a configuration names, checked against the digests of its identity. What was read
// goes to `digests`, the object of this name in a manifest (docs/protocol.md section 5). Throw what
// the caller can fix as ConfigError, DataError, ModelError or TokenizerError.

/// Digests of the whole model folder; the fields of its config.json.
ModelConfig open_model(const TrainConfig& config, nlohmann::json& digests);

/// The weights in the compute dtype. REQUIRES: open_model has checked them.
LlamaWeights load_weights(const TrainConfig& config, const ModelConfig& model, at::ScalarType dtype,
                          at::Device device);

/// The adapter that training begins with: that of the configuration's PEFT folder, else PEFT's
/// initial values for `seed`.
void begin_adapter(const TrainConfig& config, std::uint64_t seed, at::ScalarType base_dtype,
                   Adapter& adapter, nlohmann::json& digests);

/// Null for synthetic data, which have none.
std::unique_ptr<const Tokenizer> open_tokenizer(const TrainConfig& config, const ModelConfig& model,
                                                nlohmann::json& digests);

/// `tokenizer` null for synthetic data.
Dataset load_data(const TrainConfig& config, const ModelConfig& model, const Tokenizer* tokenizer,
                  nlohmann::json& digests);

}  // namespace twinrun::trainer
