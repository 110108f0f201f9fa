#include "trainer/train/step_digests.h"

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAEvent.h>

namespace twinrun::trainer {

/// What of a step is still on its way from the device when the next one is queued.
struct StepDigests::Pending {
  protocol::StepRecord record;          ///< all that the host knows already
  at::Tensor scalars;                   ///< float32 [2]: loss, gradient norm; host, arriving
  at::Tensor grad, adapter, optimizer;  ///< leaf digests; host, arriving
  std::optional<at::cuda::CUDAEvent> arrived;
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

StepDigests::StepDigests(std::vector<NamedTensor> adapter, std::vector<NamedTensor> grads,
                         std::vector<NamedTensor> optimizer, int threads, Sink sink)
    : adapter_(std::move(adapter), threads),
      grads_(std::move(grads), threads),
      optimizer_(std::move(optimizer), threads),
      sink_(std::move(sink)) {}

StepDigests::~StepDigests() = default;

void StepDigests::queue(protocol::StepRecord record, const at::Tensor& grad_leaves,
                        const at::Tensor& loss, const at::Tensor& grad_norm) {
  auto next = std::make_unique<Pending>(
      Pending{std::move(record), to_host(at::stack({loss, grad_norm})), grad_leaves,
              adapter_.enqueue(), optimizer_.enqueue(), std::nullopt});
  if (loss.is_cuda()) next->arrived.emplace().record();
  flush();
  pending_ = std::move(next);
  if (!pending_->arrived) flush();
}

void StepDigests::flush() {
  if (!pending_) return;
  const auto step = std::move(pending_);
  if (step->arrived) step->arrived->synchronize();
  const auto* scalars = step->scalars.const_data_ptr<float>();
  FinishedStep finished{std::move(step->record), grads_.digests(step->grad),
                        adapter_.digests(step->adapter), optimizer_.digests(step->optimizer)};
  auto& record = finished.record;
  record.loss = scalars[0];
  record.grad_norm = scalars[1];
  record.grad = protocol::group_digest(finished.grad);
  record.adapter = protocol::group_digest(finished.adapter);
  record.optimizer = protocol::group_digest(finished.optimizer);
  sink_(std::move(finished));
}

StepDigests::State StepDigests::state() const {
  const auto adapter = adapter_.enqueue(), optimizer = optimizer_.enqueue();
  if (adapter.is_pinned()) at::cuda::getCurrentCUDAStream().synchronize();
  return {adapter_.digests(adapter), optimizer_.digests(optimizer)};
}

}  // namespace twinrun::trainer
