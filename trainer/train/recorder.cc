#include "trainer/train/recorder.h"

#include <ATen/cuda/CUDAContext.h>

#include <cmath>
#include <fstream>
#include <limits>

namespace twinrun::trainer {

Recorder::Recorder(const std::filesystem::path& run_dir, const protocol::RecordHeader& header,
                   std::vector<NamedTensor> adapter, const std::vector<NamedTensor>& grads,
                   std::vector<NamedTensor> optimizer, std::vector<NamedTensor> base,
                   std::int64_t tensors_every, int threads, const Faults& faults,
                   const std::optional<RecordResume>& resume)
    : writer_(resume ? protocol::RecordWriter(run_dir, header, resume->record)
                     : protocol::RecordWriter(run_dir, header)),
      timings_(run_dir / "timings.jsonl"),
      base_(std::move(base), threads),
      tensors_every_(tensors_every),
      faults_(faults),
      last_(std::chrono::steady_clock::now()),
      digests_(std::move(adapter), grads, std::move(optimizer), threads,
               [this](FinishedStep&& step) { write(std::move(step)); }) {
  if (resume) {
    if (tensors_every_ > 0) tensors_.emplace(run_dir, resume->tensors);
    if (const auto& before = writer_.continued_behind()) steps_written_ = before->step;
    // Only for its cut of a torn line: times are not compared, each part of a run adds its own.
    protocol::AppendFile(timings_, protocol::AppendFile::Open::kContinue);
  } else if (tensors_every_ > 0) {
    tensors_.emplace(run_dir);
  }
}

void Recorder::write_tensors(std::int64_t step, const char* group,
                             std::vector<protocol::NamedDigest> digests) {
  if (tensors_ && step % tensors_every_ == 0) tensors_->write(step, {group, std::move(digests)});
}

void Recorder::require_state(std::int64_t step, const protocol::Digest& rng) {
  const auto state = digests_.state();
  const auto& before = writer_.continued_behind();
  const bool same = before && before->step == step && before->rng == rng &&
                    before->adapter == protocol::group_digest(state.adapter) &&
                    before->optimizer == protocol::group_digest(state.optimizer);
  if (!same) {
    throw protocol::ResumeRefused(
        "the checkpoint of step " + std::to_string(step) +
        " does not hold the adapter, optimizer and random state that the record has there");
  }
}

void Recorder::sync() {
  digests_.flush();
  writer_.sync();
  if (tensors_) tensors_->sync();
}

RecordResume Recorder::position() const {
  return {writer_.position(), tensors_ ? tensors_->position() : protocol::FilePosition{}};
}

std::vector<protocol::NamedDigest> Recorder::base_digests() const {
  const auto leaves = base_.enqueue();
  if (leaves.is_pinned()) at::cuda::getCurrentCUDAStream().synchronize();
  return base_.digests(leaves);
}

void Recorder::step_zero(const protocol::Digest& rng) {
  auto state = digests_.state();
  auto base = base_digests();
  const protocol::StepZero line{protocol::group_digest(state.adapter),
                                protocol::group_digest(state.optimizer), rng,
                                protocol::group_digest(base)};
  write_tensors(0, "adapter", std::move(state.adapter));
  write_tensors(0, "optimizer", std::move(state.optimizer));
  write_tensors(0, "base", std::move(base));
  writer_.step_zero(line);
  last_ = std::chrono::steady_clock::now();
}

void Recorder::write(FinishedStep&& step) {
  auto& record = step.record;
  if (faults_.at("loss-ulp", record.step)) {
    record.loss = std::nextafter(record.loss, std::numeric_limits<float>::infinity());
  }
  write_tensors(record.step, "grad", std::move(step.grad));
  write_tensors(record.step, "adapter", std::move(step.adapter));
  write_tensors(record.step, "optimizer", std::move(step.optimizer));
  if (!faults_.at("drop-line", record.step)) writer_.step(record);
  steps_written_ = record.step;
  const auto now = std::chrono::steady_clock::now();
  const std::chrono::duration<double, std::milli> elapsed = now - last_;
  last_ = now;
  std::ofstream(timings_, std::ios::app)
      << "{\"step\":" << record.step << ",\"ms\":" << elapsed.count() << "}\n";
}

protocol::Digest Recorder::finish() {
  digests_.flush();
  if (tensors_) tensors_->end();
  return writer_.end({steps_written_, protocol::group_digest(base_digests())});
}

}  // namespace twinrun::trainer
