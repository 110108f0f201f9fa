#include "trainer/train/micro_batch_sum.h"

#include <ATen/ATen.h>

namespace twinrun::trainer {

void MicroBatchSum::add(std::int64_t index, const at::Tensor& part) {
  TORCH_CHECK(index >= next_ && early_.count(index) == 0, "micro-batch ", index, " came twice");
  if (index != next_) {
    early_.emplace(index, part);
    return;
  }
  if (index == 0) {
    sum_.copy_(part);
  } else {
    ops_.add_(sum_, part);
  }
  ++next_;
  if (const auto waiting = early_.extract(next_)) add(waiting.key(), waiting.mapped());
}

const at::Tensor& MicroBatchSum::finish(std::int64_t count) const {
  TORCH_CHECK(next_ == count && early_.empty(), "the sum holds ", next_, " of ", count,
              " micro-batches");
  return sum_;
}

}  // namespace twinrun::trainer
