#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "trainer/data/dataset.h"
#include "trainer/model/llama.h"
#include "trainer/train/checkpoint.h"
#include "trainer/train/evaluation.h"
#include "trainer/train/faults.h"
#include "trainer/train/step_digests.h"
#include "trainer/train/train_config.h"

namespace twinrun::trainer {

/// Everything that training steps work on, in the order in which it is made: device, model, data,
/// adapter, optimizer. What becomes of the steps is the caller's: RecordedRun writes them down,
/// `bench` measures them.
class Session {
 public:
  /// Loads and checks all inputs. `manifest` receives what was read on the way: seeds as used,
  /// switches, machine, digests of the files, counts of the data. Throws what the caller can fix as
  /// ConfigError, DataError, ModelError, TokenizerError or NumericsError.
  Session(const TrainConfig& config, nlohmann::json& manifest);

  /// Trains one step and queues its digests. Steps count from 1 and may go on behind the last of
  /// the configuration: epochs follow each other, the learning rate stays that of the last.
  /// REQUIRES: c10::InferenceMode.
  void step(std::int64_t step, StepDigests& digests);

  /// Null where the configuration asks for none.
  const Evaluation* evaluation() const { return evaluation_.get(); }
  /// As Evaluation::run. REQUIRES: evaluation(), c10::InferenceMode.
  void evaluate(std::int64_t step, const std::function<void(const protocol::EvalItem&)>& take);

  /// What a checkpoint has to hold besides tensors, record and owner.
  CheckpointState state(std::int64_t step) const;
  /// Goes on where `saved` stood.
  void restore(const SavedCheckpoint& saved);

  protocol::Digest rng_digest() const;
  /// Throws std::runtime_error if a switch no longer stands as the mode needs it.
  void require_switches() const;

  const TrainConfig& config() const { return config_; }
  const Faults& faults() const { return faults_; }
  c10::Device device() const { return device_; }
  Adapter& adapter() { return *adapter_; }
  const std::vector<NamedTensor>& base() const { return model_->weights().named; }

 private:
  /// Planted faults that strike before a step, or change what it works with.
  void plant_faults(std::int64_t step, StepDigests& digests);
  /// Planted fault `stale-checkpoint`: keeps the state of an earlier step and goes back to it.
  void plant_stale_checkpoint(std::int64_t step);
  /// Rows of the step's micro-batches, with the planted faults of the sampler.
  std::vector<std::vector<Row>> draw_rows(std::int64_t step);
  /// A micro-batch, with the planted faults of samples.
  Batch batch_of(std::int64_t step, const std::vector<Row>& rows) const;
  /// Sums loss and gradients over the micro-batches; fills tokens, samples and batch of `record`.
  at::Tensor accumulate(std::int64_t step, protocol::StepRecord& record);
  DeviceBatch to_device(const Batch& batch) const;

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
  std::unique_ptr<Evaluation> evaluation_;
  std::uint64_t dropout_seed_ = 0;
  std::int64_t dropout_draws_ = 0;  ///< 32-bit draws that the masks took so far

  // Only for planted faults.
  struct OptimizedState {
    at::Tensor params, exp_avg, exp_avg_sq;
    double beta1_power = 1, beta2_power = 1;
  };
  std::optional<OptimizedState> earlier_;      ///< stale-checkpoint
  std::vector<std::vector<Row>> rows_before_;  ///< duplicate-batch
};

}  // namespace twinrun::trainer
