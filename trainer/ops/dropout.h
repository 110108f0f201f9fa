#pragma once

#include <ATen/core/Tensor.h>

#include "trainer/ops/op_set.h"

namespace twinrun::trainer {

/// x / (1 - p) where the mask of `key` keeps, 0 elsewhere; the same mask on every device.
/// Element i of the contiguous tensor is kept iff its 32-bit draw >= round(p 2^32).
at::Tensor dropout(const at::Tensor& x, const DropoutKey& key);

/// y += dropout(x): the same mask again, for the backward.
void dropout_add_(at::Tensor& y, const at::Tensor& x, const DropoutKey& key);

}  // namespace twinrun::trainer
