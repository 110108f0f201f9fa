#include "trainer/train/step_digests.h"

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAEvent.h>

namespace twinrun::trainer {

/// What of a step is still on its way from the device when the next one is queued.
struct StepDigests::Pending {
  protocol::StepRecord record;  ///< all that the host knows already
  at::Tensor scalars;           ///< float32 [2]: loss, gradient norm; host, arriving
  at::Tensor leaves;            ///< leaf digests; host, arriving
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

/// The storage of tensors that lie in one, as a vector, with the gaps that align them.
at::Tensor whole_storage(const std::vector<NamedTensor>& tensors) {
  const auto& first = tensors.at(0).tensor;
  for (const auto& [name, tensor] : tensors) {
    TORCH_CHECK(tensor.is_alias_of(first), "not in one storage with the others: ", name);
  }
  const auto size = static_cast<std::int64_t>(first.storage().nbytes() / first.element_size());
  return at::empty({0}, first.options()).set_(first.storage(), 0, {size}, {1});
}

/// The views `tensors` of another storage, by the same names.
void append_views(const at::Tensor& storage, const std::vector<NamedTensor>& tensors,
                  std::vector<NamedTensor>& list) {
  for (const auto& [name, tensor] : tensors) {
    list.push_back(
        {name, storage.as_strided(tensor.sizes(), tensor.strides(), tensor.storage_offset())});
  }
}

std::vector<NamedTensor> all_of(std::vector<NamedTensor> adapter,
                                const std::vector<NamedTensor>& optimizer,
                                const std::vector<NamedTensor>& grads, const at::Tensor& kept) {
  adapter.insert(adapter.end(), optimizer.begin(), optimizer.end());
  append_views(kept, grads, adapter);
  return adapter;
}

}  // namespace

StepDigests::StepDigests(std::vector<NamedTensor> adapter, const std::vector<NamedTensor>& grads,
                         std::vector<NamedTensor> optimizer, int threads, Sink sink)
    : grads_(whole_storage(grads)),
      kept_grads_(at::zeros_like(grads_)),
      adapter_count_(adapter.size()),
      optimizer_count_(optimizer.size()),
      hasher_(all_of(std::move(adapter), optimizer, grads, kept_grads_), threads),
      sink_(std::move(sink)) {}

StepDigests::~StepDigests() = default;

void StepDigests::queue(protocol::StepRecord record, const at::Tensor& loss,
                        const at::Tensor& grad_norm) {
  auto next = std::make_unique<Pending>(Pending{
      std::move(record), to_host(at::stack({loss, grad_norm})), hasher_.enqueue(), std::nullopt});
  if (loss.is_cuda()) next->arrived.emplace().record();
  flush();
  pending_ = std::move(next);
  if (!pending_->arrived) flush();
}

StepDigests::State StepDigests::by_group(const at::Tensor& leaves) const {
  State state;
  auto all = hasher_.digests(leaves);
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto& group = i < adapter_count_                      ? state.adapter
                  : i < adapter_count_ + optimizer_count_ ? state.optimizer
                                                          : state.kept_grads;
    group.push_back(std::move(all[i]));
  }
  return state;
}

void StepDigests::flush() {
  if (!pending_) return;
  const auto step = std::move(pending_);
  if (step->arrived) step->arrived->synchronize();
  const auto* scalars = step->scalars.const_data_ptr<float>();
  auto digests = by_group(step->leaves);
  FinishedStep finished{std::move(step->record), std::move(digests.kept_grads),
                        std::move(digests.adapter), std::move(digests.optimizer)};
  auto& record = finished.record;
  record.loss = scalars[0];
  record.grad_norm = scalars[1];
  record.grad = protocol::group_digest(finished.grad);
  record.adapter = protocol::group_digest(finished.adapter);
  record.optimizer = protocol::group_digest(finished.optimizer);
  sink_(std::move(finished));
}

StepDigests::State StepDigests::state() const {
  const auto leaves = hasher_.enqueue();
  if (leaves.is_pinned()) at::cuda::getCurrentCUDAStream().synchronize();
  return by_group(leaves);
}

}  // namespace twinrun::trainer
