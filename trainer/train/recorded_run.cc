#include "trainer/train/recorded_run.h"

#include <c10/core/InferenceMode.h>

namespace twinrun::trainer {

RecordedRun::RecordedRun(Session& session, std::filesystem::path run_dir, RunStart start)
    : session_(session),
      run_dir_(std::move(run_dir)),
      start_(std::move(start)),
      owner_{start_.run_id, session.config().identity_digest,
             arithmetic_id(session.config().numerics)} {}

void RecordedRun::open_record() {
  const auto& config = session_.config();
  auto& adapter = session_.adapter();
  std::optional<RecordResume> resume;
  if (start_.resume) resume.emplace();
  if (const auto& saved = start_.checkpoint) resume = {saved->state.record, saved->state.tensors};
  const auto promise =
      promises_bits(config.numerics) ? protocol::Promise::kBitwise : protocol::Promise::kNone;
  recorder_ = std::make_unique<Recorder>(
      run_dir_,
      protocol::RecordHeader{.identity = config.identity_digest,
                             .arithmetic = owner_.arithmetic,
                             .promise = promise,
                             .steps = config.steps},
      adapter.named_params(), adapter.named_grads(), adapter.named_optimizer(), session_.base(),
      config.tensors_every, config.numerics.threads, session_.faults(), resume);
}

void RecordedRun::open_evaluation() {
  const auto* evaluation = session_.evaluation();
  const auto& saved = start_.checkpoint;
  if (saved && (saved->state.evaluation.bytes > 0) != (evaluation != nullptr)) {
    throw protocol::ResumeRefused(std::string("the run was begun ") +
                                  (evaluation == nullptr ? "with" : "without") +
                                  " an evaluation: it can only go on so");
  }
  if (evaluation == nullptr) return;
  const auto header = evaluation->header();
  evaluations_ = start_.resume ? std::make_unique<protocol::EvalWriter>(
                                     run_dir_, header,
                                     saved ? saved->state.evaluation : protocol::FilePosition())
                               : std::make_unique<protocol::EvalWriter>(run_dir_, header);
}

void RecordedRun::evaluate(std::int64_t step) {
  // The step is done, whatever becomes of its evaluation.
  recorder_->flush();
  session_.evaluate(step, [this](const auto& item) { evaluations_->item(item); });
  recorder_->restart_clock();
}

protocol::Digest RecordedRun::train() {
  const c10::InferenceMode inference;
  const auto& config = session_.config();
  open_record();
  open_evaluation();
  if (session_.faults().step_of("constant")) {
    write_constant_record();
  } else {
    if (start_.checkpoint) {
      restore(*start_.checkpoint);
    } else {
      recorder_->step_zero(session_.rng_digest());
    }
    for (auto step = recorder_->steps_written() + 1; step <= config.last_step; ++step) {
      session_.step(step, recorder_->digests());
      if (evaluations_ && session_.evaluation()->header().is_evaluated(step)) evaluate(step);
      if (config.checkpoint_every > 0 && step % config.checkpoint_every == 0) {
        save_checkpoint(step);
      }
    }
    if (evaluations_) evaluations_->end();
  }
  session_.require_switches();  // a library that is loaded late may have moved one, MXCSR above all
  const auto head = recorder_->finish();
  session_.adapter().save(run_dir_ / "adapter", config.model_path.string());
  truncate_record();
  return head;
}

void RecordedRun::restore(const SavedCheckpoint& saved) {
  session_.restore(saved);
  recorder_->require_state(saved.state.step, session_.rng_digest());
}

void RecordedRun::save_checkpoint(std::int64_t step) {
  // First the lines: a checkpoint must never stand behind what the record does not have.
  recorder_->sync();
  if (evaluations_) evaluations_->sync();
  const auto position = recorder_->position();
  auto state = session_.state(step);
  state.owner = owner_;
  state.record = *position.record;
  state.tensors = position.tensors;
  if (evaluations_) state.evaluation = evaluations_->position();
  const auto adapter = session_.adapter().host_params();
  const auto optimizer = session_.adapter().host_optimizer();
  write_checkpoint(run_dir_, state, to_write(adapter), to_write(optimizer));
}

}  // namespace twinrun::trainer
