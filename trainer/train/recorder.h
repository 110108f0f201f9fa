#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "harness/protocol/record_writer.h"
#include "trainer/ops/leaf_hash.h"
#include "trainer/train/faults.h"
#include "trainer/train/step_digests.h"

namespace twinrun::trainer {

/// Where a run that is resumed goes on in its files: nothing for their beginning.
struct RecordResume {
  std::optional<protocol::RecordPosition> record;
  protocol::FilePosition tensors;
};

/// Writes a run's steps.jsonl, tensors.jsonl and timings.jsonl. On a GPU a step's line is written
/// when the next step has been queued (StepDigests), so that recording never waits for the device.
class Recorder {
 public:
  /// With `resume` the files that are there are continued, and what is said again is compared with
  /// them; throws as protocol::RecordWriter does.
  Recorder(const std::filesystem::path& run_dir, const protocol::RecordHeader& header,
           std::vector<NamedTensor> adapter, const std::vector<NamedTensor>& grads,
           std::vector<NamedTensor> optimizer, std::vector<NamedTensor> base,
           std::int64_t tensors_every, int threads, const Faults& faults,
           const std::optional<RecordResume>& resume);

  /// Throws protocol::ResumeRefused unless the state now is the one that the record has behind
  /// `step`, where it was resumed: adapter, optimizer and `rng`.
  void require_state(std::int64_t step, const protocol::Digest& rng);

  /// The state before training.
  void step_zero(const protocol::Digest& rng);

  /// What steps are queued in; each line is written when its digests have arrived.
  StepDigests& digests() { return digests_; }

  /// Writes the line that is pending.
  void flush() { digests_.flush(); }
  /// The same, and all lines to the disk.
  void sync();
  /// What was done since the last line is no part of the next step's time.
  void restart_clock() { last_ = std::chrono::steady_clock::now(); }
  /// Behind the last line written.
  RecordResume position() const;
  /// Writes what is pending and the end line; returns the head.
  protocol::Digest finish();

  std::int64_t steps_written() const { return steps_written_; }

 private:
  void write(FinishedStep&& step);
  void write_tensors(std::int64_t step, const char* group,
                     std::vector<protocol::NamedDigest> digests);
  std::vector<protocol::NamedDigest> base_digests() const;

  protocol::RecordWriter writer_;
  std::optional<protocol::TensorsWriter> tensors_;
  std::filesystem::path timings_;
  LeafHasher base_;
  std::int64_t tensors_every_, steps_written_ = 0;
  const Faults& faults_;
  std::chrono::steady_clock::time_point last_;
  StepDigests digests_;
};

}  // namespace twinrun::trainer
