#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "trainer/data/dataset.h"
#include "trainer/model/llama.h"
#include "trainer/train/faults.h"
#include "trainer/train/recorder.h"
#include "trainer/train/train_config.h"

namespace twinrun::trainer {

/// Everything a training run holds, in the order in which it is made: device, model, data, adapter,
/// optimizer, record.
class Session {
 public:
  /// Loads and checks all inputs. `manifest` receives what was read on the way: seeds as used,
  /// switches, machine, digests of the files, counts of the data. Throws what the caller can fix as
  /// ConfigError, DataError, ModelError, TokenizerError or NumericsError.
  Session(const TrainConfig& config, nlohmann::json& manifest);

  /// Trains and records; returns the head.
  protocol::Digest train(const std::filesystem::path& run_dir);

  std::int64_t steps_written() const { return recorder_ ? recorder_->steps_written() : 0; }

 private:
  void load_model(nlohmann::json& manifest);
  void load_data(nlohmann::json& manifest);
  void one_step(std::int64_t step);
  /// Sample indices of the step's micro-batches, with the planted faults of the data path.
  std::vector<std::vector<std::int64_t>> draw_samples(std::int64_t step);
  /// Sums loss and gradients over the micro-batches; fills tokens, samples and batch of `record`.
  at::Tensor accumulate(std::int64_t step, protocol::StepRecord& record);
  DeviceBatch to_device(const Batch& batch) const;
  /// Planted fault `constant`: right header, then the same lines whatever the seed.
  void write_constant_record();
  /// Planted fault `truncate`: cuts steps.jsonl in the middle of its step's line.
  void truncate_record(const std::filesystem::path& run_dir) const;
  protocol::Digest rng_digest() const;

  TrainConfig config_;
  Faults faults_;
  c10::Device device_;
  at::ScalarType dtype_;
  at::Tensor memory_offset_;  ///< keeps launch.nuisance.gpu_memory_offset_mb occupied
  ModelConfig model_config_;
  Dataset data_;
  std::unique_ptr<OpSet> ops_;
  std::unique_ptr<Adapter> adapter_;
  std::unique_ptr<Llama> model_;
  std::unique_ptr<AdamW> optimizer_;
  std::unique_ptr<Sampler> sampler_;
  std::unique_ptr<Recorder> recorder_;
  std::uint64_t dropout_seed_ = 0;
  std::int64_t dropout_draws_ = 0;  ///< 32-bit draws that the masks took so far
};

}  // namespace twinrun::trainer
