#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "harness/protocol/eval_writer.h"
#include "trainer/train/checkpoint.h"
#include "trainer/train/recorder.h"
#include "trainer/train/session.h"

namespace twinrun::trainer {

/// How a run begins.
struct RunStart {
  std::string run_id;
  bool resume = false;                        ///< what stands in its record is kept and compared
  std::optional<SavedCheckpoint> checkpoint;  ///< of a run that is resumed; else from step 0
};

/// The steps of a session as a run that leaves a record, evaluations, checkpoints and an adapter.
class RecordedRun {
 public:
  RecordedRun(Session& session, std::filesystem::path run_dir, RunStart start);

  /// Trains, records and writes checkpoints; returns the head. Throws protocol::ResumeRefused if
  /// the record cannot be continued, protocol::ResumeDiverged if it comes out otherwise.
  protocol::Digest train();

  std::int64_t steps_written() const { return recorder_ ? recorder_->steps_written() : 0; }

 private:
  void open_record();
  /// Takes the state over and proves it against the record.
  void restore(const SavedCheckpoint& saved);
  void open_evaluation();
  void evaluate(std::int64_t step);
  void save_checkpoint(std::int64_t step);
  /// Planted fault `constant`: right header, then the same lines whatever the seed.
  void write_constant_record();
  /// Planted fault `truncate`: cuts steps.jsonl in the middle of its step's line.
  void truncate_record() const;

  Session& session_;
  std::filesystem::path run_dir_;
  RunStart start_;
  CheckpointOwner owner_;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<protocol::EvalWriter> evaluations_;  ///< null for a run that does not evaluate
};

}  // namespace twinrun::trainer
