#include "trainer/ops/torch/token_parts.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>

#include "trainer/ops/torch/token_parts_cuda.h"

namespace twinrun::trainer {
namespace {

/// out_PMN = products of `count` parts of `tokens` tokens each, from token `begin` on.
void products(const at::Tensor& out, const at::Tensor& left, const at::Tensor& right,
              std::int64_t begin, std::int64_t count, std::int64_t tokens, LtProducts& lt) {
  const auto parts_of = [&](const at::Tensor& x) {
    return x.narrow(0, begin, count * tokens).view({count, tokens, x.size(1)});
  };
  lt.run(out, parts_of(left).transpose(1, 2), parts_of(right));
}

}  // namespace

void add_product_in_parts(const at::Tensor& grad, const at::Tensor& left, const at::Tensor& right,
                          double scale, LtProducts& lt) {
  TORCH_CHECK(grad.is_cuda() && grad.is_contiguous() && grad.scalar_type() == at::kFloat &&
                  left.is_contiguous() && right.is_contiguous() && left.size(0) == right.size(0) &&
                  left.size(0) > 0,
              "a product in parts needs contiguous tensors over the same tokens");
  const auto whole = left.size(0) / kTokenPart, rest = left.size(0) % kTokenPart;
  const auto count = whole + (rest > 0 ? 1 : 0);
  const auto parts = at::empty({count, left.size(1), right.size(1)}, grad.options());
  if (whole > 0) products(parts.narrow(0, 0, whole), left, right, 0, whole, kTokenPart, lt);
  if (rest > 0) products(parts.narrow(0, whole, 1), left, right, whole * kTokenPart, 1, rest, lt);
  C10_CUDA_CHECK(add_parts_cuda(grad.mutable_data_ptr<float>(), parts.const_data_ptr<float>(),
                                grad.numel(), count, static_cast<float>(scale),
                                c10::cuda::getCurrentCUDAStream().stream()));
}

}  // namespace twinrun::trainer
