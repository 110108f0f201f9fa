#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "harness/protocol/record_writer.h"
#include "trainer/ops/leaf_hash.h"
#include "trainer/train/faults.h"

namespace twinrun::trainer {

/// What of a step is still on its way from the device when the next one is queued.
struct PendingStep {
  protocol::StepRecord record;          ///< all that the host knows already
  at::Tensor scalars;                   ///< float32 [2]: loss, gradient norm; host, arriving
  at::Tensor grad, adapter, optimizer;  ///< leaf digests; host, arriving
  std::chrono::steady_clock::time_point queued;
};

/// Where a run that is resumed goes on in its files: nothing for their beginning.
struct RecordResume {
  std::optional<protocol::RecordPosition> record;
  protocol::TensorsPosition tensors;
};

/// Writes a run's steps.jsonl, tensors.jsonl and timings.jsonl. On a GPU a step's line is written
/// when the next step has been queued, so that recording never waits for the device.
class Recorder {
 public:
  /// With `resume` the files that are there are continued, and what is said again is compared with
  /// them; throws as protocol::RecordWriter does.
  Recorder(const std::filesystem::path& run_dir, const protocol::RecordHeader& header,
           std::vector<NamedTensor> adapter, std::vector<NamedTensor> grads,
           std::vector<NamedTensor> optimizer, std::vector<NamedTensor> base,
           std::int64_t tensors_every, int threads, const Faults& faults,
           const std::optional<RecordResume>& resume);
  ~Recorder();

  /// Throws protocol::ResumeRefused unless the state now is the one that the record has behind
  /// `step`, where it was resumed: adapter, optimizer and `rng`.
  void require_state(std::int64_t step, const protocol::Digest& rng);

  /// The state before training.
  void step_zero(const protocol::Digest& rng);

  /// To be called when a step's gradients are final, before they are clipped.
  at::Tensor hash_grads() const { return grads_.enqueue(); }
  /// To be called after the update: queues the step's digests and copies, then writes the line of
  /// the step before.
  void step(protocol::StepRecord record, const at::Tensor& grad_leaves, const at::Tensor& loss,
            const at::Tensor& grad_norm);

  /// Writes the line that is pending.
  void flush() { write_pending(); }
  /// Writes the line that is pending, and all lines to the disk.
  void sync();
  /// Behind the last line written.
  RecordResume position() const;
  /// Writes what is pending and the end line; returns the head.
  protocol::Digest finish();

  std::int64_t steps_written() const { return steps_written_; }

 private:
  struct Event;
  void write_pending();
  protocol::Digest write_group(std::int64_t step, const char* group, const LeafHasher& hasher,
                               const at::Tensor& leaves);

  protocol::RecordWriter writer_;
  std::optional<protocol::TensorsWriter> tensors_;
  std::filesystem::path timings_;
  LeafHasher adapter_, grads_, optimizer_, base_;
  std::int64_t tensors_every_, steps_written_ = 0;
  const Faults& faults_;
  std::optional<PendingStep> pending_;
  std::unique_ptr<Event> event_;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace twinrun::trainer
