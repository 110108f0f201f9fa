#pragma once

#include <ATen/core/Tensor.h>

#include "trainer/ops/op_set.h"

namespace twinrun::trainer {

/// x / (1 - p) where the mask of `key` keeps, 0 elsewhere; the same mask on every device.
/// Element i of the contiguous tensor is kept iff its 32-bit draw >= round(p 2^32).
/// On a GPU the mask goes into `mask` unless that is null, a bit an element, to be given back: to
/// read it costs less than to draw it again. On a CPU `mask` stays as it is.
at::Tensor dropout(const at::Tensor& x, const DropoutKey& key, at::Tensor* mask = nullptr);

/// y += dropout(x): the same mask again, for the backward. `mask`: what dropout() left, if
/// anything.
void dropout_add_(at::Tensor& y, const at::Tensor& x, const DropoutKey& key,
                  const at::Tensor& mask = {});

}  // namespace twinrun::trainer
