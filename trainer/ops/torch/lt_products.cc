#include "trainer/ops/torch/lt_products.h"

#include <ATen/ATen.h>
#include <ATen/MemoryOverlap.h>
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/Exceptions.h>
#include <cublasLt.h>

#include <algorithm>

#include "trainer/numerics/loaded.h"

namespace twinrun::trainer {

/// The functions, of the library that torch has loaded, and its handle.
struct LtProducts::Library {
  template <typename Function>
  static Function* find(const char* name) {
    auto* const function = loaded<Function>(name);
    TORCH_CHECK(function != nullptr, "cuBLASLt has no ", name);
    return function;
  }
#define TWINRUN_LT(name) \
  decltype(&cublasLt##name) name = find<decltype(cublasLt##name)>("cublasLt" #name)
  TWINRUN_LT(Matmul);
  TWINRUN_LT(MatmulAlgoGetHeuristic);
  TWINRUN_LT(MatmulDescCreate);
  TWINRUN_LT(MatmulDescDestroy);
  TWINRUN_LT(MatmulDescSetAttribute);
  TWINRUN_LT(MatmulPreferenceCreate);
  TWINRUN_LT(MatmulPreferenceDestroy);
  TWINRUN_LT(MatmulPreferenceSetAttribute);
  TWINRUN_LT(MatrixLayoutCreate);
  TWINRUN_LT(MatrixLayoutDestroy);
  TWINRUN_LT(MatrixLayoutSetAttribute);
#undef TWINRUN_LT
  cublasLtHandle_t handle = at::cuda::getCurrentCUDABlasLtHandle();
};

namespace {

/// As much as cuBLAS itself takes on Hopper.
constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;

/// What one function of the library creates and another destroys.
template <typename T>
using Owned = std::unique_ptr<T, cublasStatus_t (*)(T*)>;

std::int64_t alignment_of(const at::Tensor& x) {
  const auto address = reinterpret_cast<std::uintptr_t>(x.const_data_ptr());
  std::uintptr_t alignment = 256;
  while (address % alignment != 0) alignment /= 2;
  return static_cast<std::int64_t>(alignment);
}

}  // namespace

/// All that a call needs besides pointers and factors.
struct LtProducts::Plan {
  Owned<cublasLtMatmulDescOpaque_t> product;
  Owned<cublasLtMatrixLayoutOpaque_t> left, right, out;
  cublasLtMatmulAlgo_t algorithm;
};

LtProducts::LtProducts() : library_(std::make_unique<const Library>()) {}
LtProducts::~LtProducts() = default;

LtProducts::Matrix LtProducts::matrix_of(const at::Tensor& x) {
  TORCH_CHECK(x.is_cuda() && (x.dim() == 2 || x.dim() == 3), "a product on the GPU takes matrices");
  const auto dtype = x.scalar_type();
  TORCH_CHECK(dtype == at::kFloat || dtype == at::kBFloat16, "no product of ", dtype);
  TORCH_CHECK(x.stride(-1) == 1 || x.stride(-2) == 1, "a product needs rows or columns that touch");
  const bool transposed = x.stride(-1) != 1;
  const auto inner = x.size(transposed ? -2 : -1), outer = x.size(transposed ? -1 : -2);
  const auto stride = x.stride(transposed ? -1 : -2);
  TORCH_CHECK(outer == 1 || stride >= inner, "a product cannot take rows or columns that overlap");
  return {.type = dtype == at::kFloat ? CUDA_R_32F : CUDA_R_16BF,
          .rows = inner,
          .cols = outer,
          .stride = std::max(stride, inner),  // of a single row it may be anything
          .batch_stride = x.dim() == 3 ? x.stride(0) : 0,
          .transposed = transposed ? 1 : 0,
          .alignment = alignment_of(x)};
}

std::unique_ptr<const LtProducts::Plan> LtProducts::make_plan(const Shape& shape) const {
  const auto& lt = *library_;
  const auto batch = static_cast<std::int32_t>(shape.batch);
  const auto layout = [&](const Matrix& m) {
    cublasLtMatrixLayout_t raw = nullptr;
    TORCH_CUDABLAS_CHECK(lt.MatrixLayoutCreate(&raw, static_cast<cudaDataType_t>(m.type),
                                               static_cast<std::uint64_t>(m.rows),
                                               static_cast<std::uint64_t>(m.cols), m.stride));
    Owned<cublasLtMatrixLayoutOpaque_t> owned(raw, lt.MatrixLayoutDestroy);
    TORCH_CUDABLAS_CHECK(
        lt.MatrixLayoutSetAttribute(raw, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch));
    TORCH_CUDABLAS_CHECK(lt.MatrixLayoutSetAttribute(
        raw, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &m.batch_stride, sizeof m.batch_stride));
    return owned;
  };
  cublasLtMatmulDesc_t raw_product = nullptr;
  TORCH_CUDABLAS_CHECK(lt.MatmulDescCreate(&raw_product, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  Owned<cublasLtMatmulDescOpaque_t> product(raw_product, lt.MatmulDescDestroy);
  const auto transpose = [&](cublasLtMatmulDescAttributes_t which, const Matrix& m) {
    const cublasOperation_t operation = m.transposed != 0 ? CUBLAS_OP_T : CUBLAS_OP_N;
    TORCH_CUDABLAS_CHECK(
        lt.MatmulDescSetAttribute(raw_product, which, &operation, sizeof operation));
  };
  transpose(CUBLASLT_MATMUL_DESC_TRANSA, shape.left);
  transpose(CUBLASLT_MATMUL_DESC_TRANSB, shape.right);

  cublasLtMatmulPreference_t raw_wish = nullptr;
  TORCH_CUDABLAS_CHECK(lt.MatmulPreferenceCreate(&raw_wish));
  const Owned<cublasLtMatmulPreferenceOpaque_t> wish(raw_wish, lt.MatmulPreferenceDestroy);
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t which, auto value) {
    TORCH_CUDABLAS_CHECK(lt.MatmulPreferenceSetAttribute(raw_wish, which, &value, sizeof value));
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{kWorkspaceBytes});
  prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, std::uint32_t{CUBLASLT_REDUCTION_SCHEME_NONE});
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
         static_cast<std::uint32_t>(shape.left.alignment));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
         static_cast<std::uint32_t>(shape.right.alignment));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
         static_cast<std::uint32_t>(shape.out.alignment));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES,
         static_cast<std::uint32_t>(shape.out.alignment));

  auto left = layout(shape.left), right = layout(shape.right), out = layout(shape.out);
  cublasLtMatmulHeuristicResult_t choice{};
  int choices = 0;
  TORCH_CUDABLAS_CHECK(lt.MatmulAlgoGetHeuristic(lt.handle, raw_product, left.get(), right.get(),
                                                 out.get(), out.get(), raw_wish, 1, &choice,
                                                 &choices));
  TORCH_CHECK(choices == 1, "cuBLASLt has no kernel without split-K for a product of ",
              shape.out.cols, " x ", shape.out.rows);
  return std::unique_ptr<const Plan>(
      new Plan{std::move(product), std::move(left), std::move(right), std::move(out), choice.algo});
}

void LtProducts::run(const at::Tensor& c, const at::Tensor& a, const at::Tensor& b, float alpha,
                     float beta) {
  TORCH_CHECK(a.dim() == c.dim() && b.dim() == c.dim() && a.size(-1) == b.size(-2) &&
                  c.size(-2) == a.size(-2) && c.size(-1) == b.size(-1) && c.stride(-1) == 1,
              "product of ", a.sizes(), " and ", b.sizes(), " into ", c.sizes());
  TORCH_CHECK(c.dim() == 2 || (a.size(0) == c.size(0) && b.size(0) == c.size(0)), "products of ",
              a.sizes(), " and ", b.sizes(), " into ", c.sizes());
  TORCH_CHECK(a.scalar_type() == b.scalar_type() &&
                  (c.scalar_type() == a.scalar_type() || c.scalar_type() == at::kFloat),
              "product of ", a.scalar_type(), " and ", b.scalar_type(), " into ", c.scalar_type());
  at::assert_no_internal_overlap(c);
  // Row by row is column by column of the transposed: C^T = B^T A^T.
  const Shape shape{.batch = c.dim() == 3 ? c.size(0) : 1,
                    .left = matrix_of(b),
                    .right = matrix_of(a),
                    .out = matrix_of(c)};
  auto& plan = plans_[shape];
  if (!plan) plan = make_plan(shape);
  if (!workspace_.defined()) {
    workspace_ =
        at::empty({static_cast<std::int64_t>(kWorkspaceBytes)}, c.options().dtype(at::kByte));
  }
  TORCH_CUDABLAS_CHECK(library_->Matmul(
      library_->handle, plan->product.get(), &alpha, b.const_data_ptr(), plan->left.get(),
      a.const_data_ptr(), plan->right.get(), &beta, c.mutable_data_ptr(), plan->out.get(),
      c.mutable_data_ptr(), plan->out.get(), &plan->algorithm, workspace_.mutable_data_ptr(),
      kWorkspaceBytes, at::cuda::getCurrentCUDAStream().stream()));
}

}  // namespace twinrun::trainer
