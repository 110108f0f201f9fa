#pragma once

#include <ATen/core/Tensor.h>

#include "trainer/ops/torch/lt_products.h"

namespace twinrun::trainer {

/// Tokens of one product in a sum over tokens.
inline constexpr std::int64_t kTokenPart = 512;

/// grad += scale left^T right for thousands of tokens (the rows of both) and few columns, where one
/// product would leave most of a GPU without work and a library's own split has an order of its
/// own. The tokens are cut into parts of kTokenPart, the last one shorter; the parts' products,
/// float32, are added in ascending order, then scaled, then added to `grad`, a float32 tensor on a
/// GPU. Throws c10::Error on what is not contiguous, or not over the same tokens.
void add_product_in_parts(const at::Tensor& grad, const at::Tensor& left, const at::Tensor& right,
                          double scale, LtProducts& lt);

}  // namespace twinrun::trainer
