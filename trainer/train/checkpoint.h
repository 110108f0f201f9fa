#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/protocol/record_resume.h"
#include "trainer/model/safetensors.h"

namespace twinrun::trainer {

/// How many checkpoints of a run are kept: the newest, and one to fall back on.
inline constexpr std::size_t kCheckpointsKept = 2;

/// The run that a checkpoint belongs to. Another run's is refused.
struct CheckpointOwner {
  std::string run_id, identity, arithmetic;  ///< as in the manifest
  bool operator==(const CheckpointOwner&) const = default;
};

/// What a run is after a step, besides its tensors.
struct CheckpointState {
  CheckpointOwner owner;
  std::int64_t step = 0;
  protocol::RecordPosition record;         ///< behind the step's line
  protocol::FilePosition tensors;          ///< behind its lines; zero bytes without tensors.jsonl
  protocol::FilePosition evaluation = {};  ///< the same of eval.jsonl
  double beta1_power = 1, beta2_power = 1;
  std::uint64_t dropout_seed = 0, shuffle_seed = 0;
  std::int64_t dropout_draws = 0;
  std::int64_t epoch = 0, position = 0, shuffle_draws = 0;  ///< of the Sampler
};

/// Writes `run_dir`/checkpoints/step-N (docs/protocol.md section 9): `adapter` and `optimizer` as
/// safetensors, the state and all digests as checkpoint.json. The folder appears whole, by a
/// rename, when all of it is on the disk; then those before the newest kCheckpointsKept are
/// removed.
///
/// Throws std::runtime_error (path and errno text).
void write_checkpoint(const std::filesystem::path& run_dir, const CheckpointState& state,
                      const std::vector<TensorToWrite>& adapter,
                      const std::vector<TensorToWrite>& optimizer);

/// A checkpoint whose every file has the digest that it should have.
struct SavedCheckpoint {
  std::filesystem::path folder;
  CheckpointState state;
};
std::filesystem::path adapter_file(const SavedCheckpoint& saved);
std::filesystem::path optimizer_file(const SavedCheckpoint& saved);

/// The newest checkpoint of a run, nullopt if there is none. What was not finished or not wholly
/// removed (`step-N.tmp`) is no checkpoint, and is removed.
///
/// Throws protocol::ResumeRefused if the newest is damaged in any bit or belongs to another run:
/// which one, what is wrong with it, and what resumes without it.
std::optional<SavedCheckpoint> read_newest_checkpoint(const std::filesystem::path& run_dir,
                                                      const CheckpointOwner& owner);

}  // namespace twinrun::trainer
