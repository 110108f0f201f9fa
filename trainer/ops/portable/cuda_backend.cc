#include <stdexcept>
#include <string>

#include "trainer/ops/portable/gemm_cuda.cuh"
#include "trainer/ops/portable/kernels_cuda.cuh"

namespace twinrun::trainer::portable {
namespace {

void check(cudaError_t error, const char* step) {
  if (error == cudaSuccess) return;
  throw std::runtime_error(std::string("portable ") + step +
                           " on the GPU: " + cudaGetErrorString(error));
}

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(cudaStream_t (*current_stream)()) : stream_(current_stream) {}

  void gemm(const Gemm& g, const Batch& batch) override {
    check(gemm_cuda(g, batch, stream_()), "product");
  }
  void rms_norm(const float* x, const float* weight, float eps, float* y, float* rstd,
                std::int64_t rows, std::int64_t cols) override {
    check(rms_norm_cuda(x, weight, eps, y, rstd, rows, cols, stream_()), "RMSNorm");
  }
  void rms_norm_backward(const float* dy, const float* x, const float* rstd, const float* weight,
                         float* dx, std::int64_t rows, std::int64_t cols) override {
    check(rms_norm_backward_cuda(dy, x, rstd, weight, dx, rows, cols, stream_()),
          "RMSNorm backward");
  }
  void rope(const Heads& x, const float* cos, const float* sin, float sign,
            const Heads& y) override {
    check(rope_cuda(x, cos, sin, sign, y, stream_()), "RoPE");
  }
  void softmax(float* s, float scale, std::int64_t items, std::int64_t length,
               std::int64_t ld) override {
    check(softmax_cuda(s, scale, items, length, ld, stream_()), "softmax");
  }
  void softmax_rows(float* s, float scale, std::int64_t rows, std::int64_t cols,
                    std::int64_t ld) override {
    check(softmax_rows_cuda(s, scale, rows, cols, ld, stream_()), "softmax of rows");
  }
  void softmax_backward(const float* p, float* dp, const float* delta, float scale,
                        std::int64_t items, std::int64_t length, std::int64_t ld) override {
    check(softmax_backward_cuda(p, dp, delta, scale, items, length, ld, stream_()),
          "softmax backward");
  }
  void softmax_backward_rows(const float* p, float* dp, const float* delta, float scale,
                             std::int64_t rows, std::int64_t cols, std::int64_t ld) override {
    check(softmax_backward_rows_cuda(p, dp, delta, scale, rows, cols, ld, stream_()),
          "softmax backward of rows");
  }
  void head_dots(const Heads& x, const Heads& y, float* out) override {
    check(head_dots_cuda(x, y, out, stream_()), "dots of heads");
  }
  void swiglu(const float* gate, const float* up, float* y, std::int64_t n) override {
    check(swiglu_cuda(gate, up, y, n, stream_()), "SwiGLU");
  }
  void swiglu_backward(const float* dy, const float* gate, const float* up, float* dgate,
                       float* dup, std::int64_t n) override {
    check(swiglu_backward_cuda(dy, gate, up, dgate, dup, n, stream_()), "SwiGLU backward");
  }
  void cross_entropy(float* logits, const std::int64_t* labels, float grad_scale, float* losses,
                     std::int64_t rows, std::int64_t cols) override {
    check(cross_entropy_cuda(logits, labels, grad_scale, losses, rows, cols, stream_()),
          "cross entropy");
  }
  void log_softmax(float* logits, std::int64_t rows, std::int64_t cols) override {
    check(log_softmax_cuda(logits, rows, cols, stream_()), "log-softmax");
  }
  void sum(const float* x, std::int64_t n, float* out) override {
    check(sum_cuda(x, n, out, stream_()), "sum");
  }
  void scale(float* x, float factor, std::int64_t n) override {
    check(scale_cuda(x, factor, n, stream_()), "scaling");
  }
  void divide(float* x, float divisor, std::int64_t n) override {
    check(divide_cuda(x, divisor, n, stream_()), "division");
  }
  void add(float* x, const float* y, std::int64_t n) override {
    check(add_cuda(x, y, n, stream_()), "addition");
  }
  void grad_norm(const float* x, std::int64_t n, double* blocks, float* out) override {
    check(grad_norm_cuda(x, n, blocks, out, stream_()), "gradient norm");
  }
  void clip(float* x, const float* norm, float max_norm, std::int64_t n) override {
    check(clip_cuda(x, norm, max_norm, n, stream_()), "clipping");
  }
  void adamw(const AdamWScalars& scalars, const float* grad, float* param, float* exp_avg,
             float* exp_avg_sq, std::int64_t n) override {
    check(adamw_cuda(scalars, grad, param, exp_avg, exp_avg_sq, n, stream_()), "AdamW");
  }

 private:
  cudaStream_t (*stream_)();
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(cudaStream_t (*current_stream)()) {
  return std::make_unique<CudaBackend>(current_stream);
}

}  // namespace twinrun::trainer::portable
