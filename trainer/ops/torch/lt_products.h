#pragma once

#include <ATen/core/Tensor.h>

#include <compare>
#include <cstdint>
#include <map>
#include <memory>

namespace twinrun::trainer {

/// Products by cuBLASLt, without split-K, whose kernel is chosen once for each shape, layout, dtype
/// and alignment. ATen asks for handle and workspace before every product, and each time compiles a
/// regular expression to read CUBLAS_WORKSPACE_CONFIG, where that is set: 0.1 ms of the host, about
/// half of its work in a step. For one device and one stream.
class LtProducts {
 public:
  LtProducts();
  ~LtProducts();
  LtProducts(const LtProducts&) = delete;
  LtProducts& operator=(const LtProducts&) = delete;

  /// c = alpha a b + beta c, queued on the current stream, summed in float32. a [M, K] and b [K, N]
  /// are both float32 or both bfloat16, with one stride of 1 and neither rows nor columns that
  /// overlap; c [M, N] has their dtype or float32, and its rows are contiguous. With a dimension
  /// more on the left, equal in all three, one product each; c must not be expanded along it.
  /// Throws c10::Error for any other, and if cuBLASLt has no kernel.
  void run(const at::Tensor& c, const at::Tensor& a, const at::Tensor& b, float alpha = 1,
           float beta = 0);

 private:
  /// A matrix as cuBLASLt sees it, column by column.
  struct Matrix {
    std::int64_t type, rows, cols, stride, batch_stride, transposed, alignment;
    auto operator<=>(const Matrix&) const = default;
  };
  /// What decides the choice of a kernel.
  struct Shape {
    std::int64_t batch;
    Matrix left, right, out;
    auto operator<=>(const Shape&) const = default;
  };
  struct Library;
  struct Plan;

  static Matrix matrix_of(const at::Tensor& x);
  std::unique_ptr<const Plan> make_plan(const Shape& shape) const;

  std::unique_ptr<const Library> library_;
  std::map<Shape, std::unique_ptr<const Plan>> plans_;
  at::Tensor workspace_;
};

}  // namespace twinrun::trainer
