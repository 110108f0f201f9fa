#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "trainer/data/dataset.h"
#include "trainer/model/llama.h"
#include "trainer/train/checkpoint.h"
#include "trainer/train/faults.h"
#include "trainer/train/recorder.h"
#include "trainer/train/train_config.h"

namespace twinrun::trainer {

/// How a run begins.
struct RunStart {
  std::string run_id;
  bool resume = false;                        ///< what stands in its record is kept and compared
  std::optional<SavedCheckpoint> checkpoint;  ///< of a run that is resumed; else from step 0
};

/// Everything a training run holds, in the order in which it is made: device, model, data, adapter,
/// optimizer, record.
class Session {
 public:
  /// Loads and checks all inputs. `manifest` receives what was read on the way: seeds as used,
  /// switches, machine, digests of the files, counts of the data. Throws what the caller can fix as
  /// ConfigError, DataError, ModelError, TokenizerError or NumericsError.
  Session(const TrainConfig& config, nlohmann::json& manifest);

  /// Trains, records and writes checkpoints; returns the head. Throws protocol::ResumeRefused if
  /// the record cannot be continued, protocol::ResumeDiverged if it comes out otherwise.
  protocol::Digest train(const std::filesystem::path& run_dir, const RunStart& start);

  std::int64_t steps_written() const { return recorder_ ? recorder_->steps_written() : 0; }

 private:
  void one_step(std::int64_t step);
  /// Sample indices of the step's micro-batches, with the planted faults of the data path.
  std::vector<std::vector<std::int64_t>> draw_samples(std::int64_t step);
  /// Sums loss and gradients over the micro-batches; fills tokens, samples and batch of `record`.
  at::Tensor accumulate(std::int64_t step, protocol::StepRecord& record);
  void save_checkpoint(std::int64_t step);
  /// Takes the state over and proves it against the record.
  void restore(const SavedCheckpoint& saved);
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
  std::filesystem::path run_dir_;
  CheckpointOwner owner_;
  std::uint64_t dropout_seed_ = 0;
  std::int64_t dropout_draws_ = 0;  ///< 32-bit draws that the masks took so far
};

}  // namespace twinrun::trainer
