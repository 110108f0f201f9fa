#include "trainer/ops/torch/fused.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_bf16.h>

#include <initializer_list>

#include "trainer/ops/torch/fused_cuda.h"

namespace twinrun::trainer::fused {
namespace {

void require(std::initializer_list<at::Tensor> tensors) {
  const auto& first = *tensors.begin();
  for (const auto& x : tensors) {
    TORCH_CHECK(x.is_cuda() && x.is_contiguous() && x.scalar_type() == first.scalar_type(),
                "a fused kernel takes contiguous tensors of one dtype on a GPU");
  }
}

void require_alike(std::initializer_list<at::Tensor> tensors) {
  require(tensors);
  const auto& first = *tensors.begin();
  for (const auto& x : tensors) {
    TORCH_CHECK(x.sizes() == first.sizes(), "a fused kernel got ", x.sizes(), " beside ",
                first.sizes());
  }
}

void require_weight(const at::Tensor& x_ND, const at::Tensor& weight_D) {
  require({x_ND, weight_D});
  TORCH_CHECK(x_ND.dim() == 2 && weight_D.numel() == x_ND.size(1), "a norm of ", x_ND.sizes(),
              " with a weight of ", weight_D.sizes());
}

template <typename T>
const T* in(const at::Tensor& x) {
  return x.defined() ? static_cast<const T*>(x.const_data_ptr()) : nullptr;
}
template <typename T>
T* out(const at::Tensor& x) {
  return static_cast<T*>(x.mutable_data_ptr());
}

/// Calls launch(element, stream), an `element` of the type of x, and throws what it returns.
template <typename Launch>
void launch_for(const at::Tensor& x, Launch launch) {
  const auto stream = c10::cuda::getCurrentCUDAStream().stream();
  if (x.scalar_type() == at::kFloat) {
    C10_CUDA_CHECK(launch(float{}, stream));
    return;
  }
  TORCH_CHECK(x.scalar_type() == at::kBFloat16, "no fused kernel for ", x.scalar_type());
  C10_CUDA_CHECK(launch(__nv_bfloat16{}, stream));
}

}  // namespace

NormOutput rms_norm(const at::Tensor& x_ND, const at::Tensor& weight_D, double eps) {
  require_weight(x_ND, weight_D);
  NormOutput result{at::empty_like(x_ND),
                    at::empty({x_ND.size(0), 1}, x_ND.options().dtype(at::kFloat))};
  launch_for(x_ND, [&]<typename T>(T, cudaStream_t stream) {
    return cuda::rms_norm(in<T>(x_ND), in<T>(weight_D), static_cast<float>(eps),
                          out<T>(result.y_ND), out<float>(result.rstd_N1), x_ND.size(0),
                          x_ND.size(1), stream);
  });
  return result;
}

at::Tensor rms_norm_backward(const at::Tensor& dy_ND, const at::Tensor& x_ND,
                             const at::Tensor& rstd_N1, const at::Tensor& weight_D,
                             const at::Tensor& residual_ND) {
  require_weight(x_ND, weight_D);
  require_alike({x_ND, dy_ND, residual_ND.defined() ? residual_ND : dy_ND});
  TORCH_CHECK(rstd_N1.is_cuda() && rstd_N1.is_contiguous() && rstd_N1.scalar_type() == at::kFloat &&
                  rstd_N1.numel() == x_ND.size(0),
              "a norm's backward takes a float32 factor for each row");
  auto dx = at::empty_like(x_ND);
  launch_for(x_ND, [&]<typename T>(T, cudaStream_t stream) {
    return cuda::rms_norm_backward(in<T>(dy_ND), in<T>(x_ND), in<float>(rstd_N1), in<T>(weight_D),
                                   in<T>(residual_ND), out<T>(dx), x_ND.size(0), x_ND.size(1),
                                   stream);
  });
  return dx;
}

at::Tensor rope(const at::Tensor& x_BHTE, const at::Tensor& cos_TE, const at::Tensor& sin_TE,
                bool backward) {
  require({cos_TE, sin_TE});
  TORCH_CHECK(x_BHTE.is_cuda() && x_BHTE.dim() == 4 && x_BHTE.stride(3) == 1 &&
                  x_BHTE.scalar_type() == cos_TE.scalar_type(),
              "rope takes heads whose elements are neighbours, and tables of their dtype");
  const auto rows = x_BHTE.size(0), heads = x_BHTE.size(1), length = x_BHTE.size(2),
             size = x_BHTE.size(3);
  TORCH_CHECK(size % 2 == 0 && cos_TE.size(0) == length && cos_TE.size(1) == size &&
                  sin_TE.sizes() == cos_TE.sizes(),
              "rope: tables of ", cos_TE.sizes(), " for heads of ", x_BHTE.sizes());
  const auto y = at::empty({rows, length, heads, size}, x_BHTE.options());
  const cuda::RopeShape shape{
      rows, heads, length, size, x_BHTE.stride(0), x_BHTE.stride(1), x_BHTE.stride(2)};
  launch_for(x_BHTE, [&]<typename T>(T, cudaStream_t stream) {
    return cuda::rope(in<T>(x_BHTE), in<T>(cos_TE), in<T>(sin_TE), out<T>(y), shape, backward,
                      stream);
  });
  return y.transpose(1, 2);
}

at::Tensor swiglu(const at::Tensor& gate_NI, const at::Tensor& up_NI) {
  require_alike({gate_NI, up_NI});
  auto y = at::empty_like(gate_NI);
  launch_for(gate_NI, [&]<typename T>(T, cudaStream_t stream) {
    return cuda::swiglu(in<T>(gate_NI), in<T>(up_NI), out<T>(y), y.numel(), stream);
  });
  return y;
}

std::pair<at::Tensor, at::Tensor> swiglu_backward(const at::Tensor& dy_NI,
                                                  const at::Tensor& gate_NI,
                                                  const at::Tensor& up_NI) {
  require_alike({dy_NI, gate_NI, up_NI});
  auto dgate = at::empty_like(gate_NI), dup = at::empty_like(gate_NI);
  launch_for(gate_NI, [&]<typename T>(T, cudaStream_t stream) {
    return cuda::swiglu_backward(in<T>(dy_NI), in<T>(gate_NI), in<T>(up_NI), out<T>(dgate),
                                 out<T>(dup), dup.numel(), stream);
  });
  return {dgate, dup};
}

void cross_entropy_(at::Tensor logits_LV, const at::Tensor& labels_L, double grad_scale,
                    at::Tensor losses_L) {
  require({logits_LV});
  require({labels_L});
  require({losses_L});
  TORCH_CHECK(labels_L.scalar_type() == at::kLong && losses_L.scalar_type() == at::kFloat &&
                  labels_L.numel() == logits_LV.size(0) && losses_L.numel() == logits_LV.size(0),
              "cross entropy takes a label and a float32 loss for each row of logits");
  launch_for(logits_LV, [&]<typename T>(T, cudaStream_t stream) {
    return cuda::cross_entropy(out<T>(logits_LV), in<std::int64_t>(labels_L),
                               static_cast<float>(grad_scale), out<float>(losses_L),
                               logits_LV.size(0), logits_LV.size(1), stream);
  });
}

}  // namespace twinrun::trainer::fused
