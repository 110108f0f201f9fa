#include "trainer/train/recorder.h"

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAEvent.h>

#include <bit>
#include <cmath>
#include <fstream>
#include <limits>

namespace twinrun::trainer {

struct Recorder::Event {
  at::cuda::CUDAEvent event;
};

namespace {

/// `tensor` on its way to the host: pinned and asynchronous from a GPU.
at::Tensor to_host(const at::Tensor& tensor) {
  if (!tensor.is_cuda()) return tensor;
  auto host =
      at::empty(tensor.sizes(), at::TensorOptions(tensor.scalar_type()).pinned_memory(true));
  host.copy_(tensor, /*non_blocking=*/true);
  return host;
}

}  // namespace

Recorder::Recorder(const std::filesystem::path& run_dir, const protocol::RecordHeader& header,
                   std::vector<NamedTensor> adapter, std::vector<NamedTensor> grads,
                   std::vector<NamedTensor> optimizer, std::vector<NamedTensor> base,
                   std::int64_t tensors_every, int threads, const Faults& faults,
                   const std::optional<RecordResume>& resume)
    : writer_(resume ? protocol::RecordWriter(run_dir, header, resume->record)
                     : protocol::RecordWriter(run_dir, header)),
      timings_(run_dir / "timings.jsonl"),
      adapter_(std::move(adapter), threads),
      grads_(std::move(grads), threads),
      optimizer_(std::move(optimizer), threads),
      base_(std::move(base), threads),
      tensors_every_(tensors_every),
      faults_(faults),
      last_(std::chrono::steady_clock::now()) {
  if (resume) {
    if (tensors_every_ > 0) tensors_.emplace(run_dir, resume->tensors);
    if (const auto& before = writer_.continued_behind()) steps_written_ = before->step;
    // Only for its cut of a torn line: times are not compared, each part of a run adds its own.
    protocol::AppendFile(timings_, protocol::AppendFile::Open::kContinue);
  } else if (tensors_every_ > 0) {
    tensors_.emplace(run_dir);
  }
}

Recorder::~Recorder() = default;

protocol::Digest Recorder::write_group(std::int64_t step, const char* group,
                                       const LeafHasher& hasher, const at::Tensor& leaves) {
  auto digests = hasher.digests(leaves);
  if (tensors_ && step % tensors_every_ == 0) tensors_->write(step, {group, digests});
  return protocol::group_digest(std::move(digests));
}

void Recorder::require_state(std::int64_t step, const protocol::Digest& rng) {
  const auto adapter = adapter_.enqueue(), optimizer = optimizer_.enqueue();
  if (adapter.is_pinned()) at::cuda::getCurrentCUDAStream().synchronize();
  const auto& before = writer_.continued_behind();
  const bool same = before && before->step == step && before->rng == rng &&
                    before->adapter == protocol::group_digest(adapter_.digests(adapter)) &&
                    before->optimizer == protocol::group_digest(optimizer_.digests(optimizer));
  if (!same) {
    throw protocol::ResumeRefused(
        "the checkpoint of step " + std::to_string(step) +
        " does not hold the adapter, optimizer and random state that the record has there");
  }
}

void Recorder::sync() {
  write_pending();
  writer_.sync();
  if (tensors_) tensors_->sync();
}

RecordResume Recorder::position() const {
  return {writer_.position(), tensors_ ? tensors_->position() : protocol::TensorsPosition{}};
}

void Recorder::step_zero(const protocol::Digest& rng) {
  const auto adapter = adapter_.enqueue(), optimizer = optimizer_.enqueue(), base = base_.enqueue();
  if (adapter.is_pinned()) at::cuda::getCurrentCUDAStream().synchronize();
  writer_.step_zero({write_group(0, "adapter", adapter_, adapter),
                     write_group(0, "optimizer", optimizer_, optimizer), rng,
                     write_group(0, "base", base_, base)});
  last_ = std::chrono::steady_clock::now();
}

void Recorder::step(protocol::StepRecord record, const at::Tensor& grad_leaves,
                    const at::Tensor& loss, const at::Tensor& grad_norm) {
  PendingStep next{std::move(record),    to_host(at::stack({loss, grad_norm})),
                   grad_leaves,          adapter_.enqueue(),
                   optimizer_.enqueue(), std::chrono::steady_clock::now()};
  auto event = std::make_unique<Event>();
  const bool on_gpu = loss.is_cuda();
  if (on_gpu) event->event.record();
  write_pending();
  pending_ = std::move(next);
  if (on_gpu) {
    event_ = std::move(event);
  } else {
    write_pending();
  }
}

void Recorder::write_pending() {
  if (!pending_) return;
  if (event_) event_->event.synchronize();
  auto& record = pending_->record;
  const auto* scalars = pending_->scalars.const_data_ptr<float>();
  record.loss = scalars[0];
  record.grad_norm = scalars[1];
  if (faults_.at("loss-ulp", record.step)) {
    record.loss = std::nextafter(record.loss, std::numeric_limits<float>::infinity());
  }
  record.grad = write_group(record.step, "grad", grads_, pending_->grad);
  record.adapter = write_group(record.step, "adapter", adapter_, pending_->adapter);
  record.optimizer = write_group(record.step, "optimizer", optimizer_, pending_->optimizer);
  if (!faults_.at("drop-line", record.step)) writer_.step(record);
  steps_written_ = record.step;
  const auto now = std::chrono::steady_clock::now();
  const std::chrono::duration<double, std::milli> elapsed = now - last_;
  last_ = now;
  std::ofstream(timings_, std::ios::app)
      << "{\"step\":" << record.step << ",\"ms\":" << elapsed.count() << "}\n";
  pending_.reset();
  event_.reset();
}

protocol::Digest Recorder::finish() {
  write_pending();
  if (tensors_) tensors_->end();
  const auto base = base_.enqueue();
  if (base.is_pinned()) at::cuda::getCurrentCUDAStream().synchronize();
  return writer_.end({steps_written_, protocol::group_digest(base_.digests(base))});
}

}  // namespace twinrun::trainer
