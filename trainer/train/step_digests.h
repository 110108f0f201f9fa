#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

#include "harness/protocol/record.h"
#include "trainer/ops/leaf_hash.h"

namespace twinrun::trainer {

/// A step whose digests have arrived: all of its record but the chain, and the digests by tensor.
struct FinishedStep {
  protocol::StepRecord record;
  std::vector<protocol::NamedDigest> grad, adapter, optimizer;
};

/// Digests of the steps of a run. On a GPU a step is finished when the next one has been queued, so
/// that digests never make the device wait.
class StepDigests {
 public:
  /// Takes over a step, on the thread that queues. What it throws, queue() and flush() throw.
  using Sink = std::function<void(FinishedStep&&)>;

  /// REQUIRES: `grads` lie in one storage, which holds nothing else but gaps between them.
  StepDigests(std::vector<NamedTensor> adapter, const std::vector<NamedTensor>& grads,
              std::vector<NamedTensor> optimizer, int threads, Sink sink);
  ~StepDigests();

  /// To be called when a step's gradients are final, before they are clipped: keeps a copy.
  void keep_grads() { kept_grads_.copy_(grads_); }
  /// To be called after the update: queues the step's digests and copies, then finishes the step
  /// before; on a CPU this one, too.
  void queue(protocol::StepRecord record, const at::Tensor& loss, const at::Tensor& grad_norm);
  /// Finishes the step that is pending.
  void flush();

  /// Of the tensors as they are now; waits for the device.
  struct State {
    std::vector<protocol::NamedDigest> adapter, optimizer, kept_grads;
  };
  State state() const;

 private:
  struct Pending;
  State by_group(const at::Tensor& leaves) const;

  at::Tensor grads_, kept_grads_;  ///< all gradients as one vector, and its copy
  std::size_t adapter_count_, optimizer_count_;
  /// All three groups: one launch fills a GPU, where one a group would leave most of it idle.
  LeafHasher hasher_;
  Sink sink_;
  std::unique_ptr<Pending> pending_;
};

}  // namespace twinrun::trainer
