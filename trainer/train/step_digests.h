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

  StepDigests(std::vector<NamedTensor> adapter, std::vector<NamedTensor> grads,
              std::vector<NamedTensor> optimizer, int threads, Sink sink);
  ~StepDigests();

  /// To be called when a step's gradients are final, before they are clipped.
  at::Tensor hash_grads() const { return grads_.enqueue(); }
  /// To be called after the update: queues the step's digests and copies, then finishes the step
  /// before; on a CPU this one, too.
  void queue(protocol::StepRecord record, const at::Tensor& grad_leaves, const at::Tensor& loss,
             const at::Tensor& grad_norm);
  /// Finishes the step that is pending.
  void flush();

  /// Of the tensors as they are now; waits for the device.
  struct State {
    std::vector<protocol::NamedDigest> adapter, optimizer;
  };
  State state() const;

 private:
  struct Pending;
  LeafHasher adapter_, grads_, optimizer_;
  Sink sink_;
  std::unique_ptr<Pending> pending_;
};

}  // namespace twinrun::trainer
