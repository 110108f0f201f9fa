#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <new>
#include <vector>

#include "trainer/ops/portable/backend.h"
#include "trainer/ops/portable/formulas.h"

namespace twinrun::trainer::portable {
namespace {

/// Calls work(begin, end) for parts of [0, n) of at least `grain`, a multiple of it, on all
/// threads.
template <typename Work>
void spread(std::int64_t n, std::int64_t grain, Work work) {
  const std::int64_t grains = (n + grain - 1) / grain;
  const std::int64_t parts = std::min<std::int64_t>(grains, omp_get_max_threads());
  if (parts <= 1) {
    if (n > 0) work(std::int64_t{0}, n);
    return;
  }
#pragma omp parallel for schedule(static) num_threads(static_cast <int>(parts))
  for (std::int64_t part = 0; part < parts; ++part) {
    const auto begin = grains * part / parts * grain, end = grains * (part + 1) / parts * grain;
    work(begin, std::min(end, n));
  }
}

constexpr std::int64_t kElementGrain = 4096;
constexpr std::int64_t kTeamTerms = 1 << 19;  // of a product: below it one thread is as quick
constexpr std::int64_t kPanelFloats = kGemmBlockK * kGemmBlockCols;
std::int64_t row_grain(std::int64_t cols) {
  return std::max<std::int64_t>(1, kElementGrain / std::max<std::int64_t>(cols, 1));
}

const float* position(const Heads& x, std::int64_t row) {
  const auto t = row % x.length, bh = row / x.length;
  return x.data + bh / x.heads * x.row_stride + bh % x.heads * x.head_stride +
         t * x.position_stride;
}

void wait() {
#pragma omp barrier
}

struct Free {
  void operator()(float* data) const { std::free(data); }
};

std::unique_ptr<float, Free> make_panels() {
  std::unique_ptr<float, Free> panels(
      static_cast<float*>(std::aligned_alloc(64, 2 * kPanelFloats * sizeof(float))));
  if (!panels) throw std::bad_alloc();
  return panels;
}

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(Isa isa) : kernels_(cpu_kernels(isa)) {}

  void gemm(const Gemm& g, const Batch& batch) override {
    const auto items = batch.outer * batch.inner;
    if (items > 1) {
      spread(items, 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto item = begin; item < end; ++item) kernels_.gemm(of_item(g, batch, item), nullptr);
      });
      return;
    }
    const auto threads = omp_get_max_threads();
    if (threads == 1 || g.m * g.n * g.k < kTeamTerms) return kernels_.gemm(g, nullptr);
    std::vector<std::int64_t> counters(static_cast<std::size_t>(gemm_counters(g)));
    GemmTeam team{threads, {panels_.get(), panels_.get() + kPanelFloats}, counters.data(), wait};
#pragma omp parallel num_threads(threads)
    kernels_.gemm(g, &team);
  }

  void rms_norm(const float* x, const float* weight, float eps, float* y, float* rstd,
                std::int64_t rows, std::int64_t cols) override {
    spread(rows, row_grain(cols), [&](std::int64_t begin, std::int64_t end) {
      kernels_.rms_norm(x + begin * cols, weight, eps, y + begin * cols, rstd + begin, end - begin,
                        cols);
    });
  }

  void rms_norm_backward(const float* dy, const float* x, const float* rstd, const float* weight,
                         float* dx, std::int64_t rows, std::int64_t cols) override {
    spread(rows, row_grain(cols), [&](std::int64_t begin, std::int64_t end) {
      kernels_.rms_norm_backward(dy + begin * cols, x + begin * cols, rstd + begin, weight,
                                 dx + begin * cols, end - begin, cols);
    });
  }

  void rope(const Heads& x, const float* cos, const float* sin, float sign,
            const Heads& y) override {
    spread(x.rows * x.heads * x.length, row_grain(x.size),
           [&](std::int64_t begin, std::int64_t end) {
             for (auto row = begin; row < end; ++row) {
               const auto t = row % x.length;
               kernels_.rope(position(x, row), cos + t * x.size, sin + t * x.size, sign,
                             const_cast<float*>(position(y, row)), x.size / 2);
             }
           });
  }

  void softmax(float* s, float scale, std::int64_t items, std::int64_t length,
               std::int64_t ld) override {
    spread(items * length, row_grain(length), [&](std::int64_t begin, std::int64_t end) {
      for (auto row = begin; row < end; ++row) kernels_.softmax(s + row * ld, scale, row % length);
    });
  }

  void softmax_rows(float* s, float scale, std::int64_t rows, std::int64_t cols,
                    std::int64_t ld) override {
    spread(rows, row_grain(cols), [&](std::int64_t begin, std::int64_t end) {
      for (auto row = begin; row < end; ++row) kernels_.softmax(s + row * ld, scale, cols - 1);
    });
  }

  void softmax_backward(const float* p, float* dp, const float* delta, float scale,
                        std::int64_t items, std::int64_t length, std::int64_t ld) override {
    spread(items * length, row_grain(length), [&](std::int64_t begin, std::int64_t end) {
      for (auto row = begin; row < end; ++row) {
        kernels_.softmax_backward(p + row * ld, dp + row * ld, delta[row], scale, row % length);
      }
    });
  }

  void softmax_backward_rows(const float* p, float* dp, const float* delta, float scale,
                             std::int64_t rows, std::int64_t cols, std::int64_t ld) override {
    spread(rows, row_grain(cols), [&](std::int64_t begin, std::int64_t end) {
      for (auto row = begin; row < end; ++row) {
        kernels_.softmax_backward(p + row * ld, dp + row * ld, delta[row], scale, cols - 1);
      }
    });
  }

  void head_dots(const Heads& x, const Heads& y, float* out) override {
    spread(x.rows * x.heads * x.length, row_grain(x.size),
           [&](std::int64_t begin, std::int64_t end) {
             for (auto row = begin; row < end; ++row) {
               out[row] = kernels_.dot(position(x, row), position(y, row), x.size);
             }
           });
  }

  void swiglu(const float* gate, const float* up, float* y, std::int64_t n) override {
    spread(n, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
      kernels_.swiglu(gate + begin, up + begin, y + begin, end - begin);
    });
  }

  void swiglu_backward(const float* dy, const float* gate, const float* up, float* dgate,
                       float* dup, std::int64_t n) override {
    spread(n, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
      kernels_.swiglu_backward(dy + begin, gate + begin, up + begin, dgate + begin, dup + begin,
                               end - begin);
    });
  }

  void cross_entropy(float* logits, const std::int64_t* labels, float grad_scale, float* losses,
                     std::int64_t rows, std::int64_t cols) override {
    spread(rows, row_grain(cols), [&](std::int64_t begin, std::int64_t end) {
      for (auto row = begin; row < end; ++row) {
        losses[row] = kernels_.cross_entropy(logits + row * cols, labels[row], grad_scale, cols);
      }
    });
  }

  void log_softmax(float* logits, std::int64_t rows, std::int64_t cols) override {
    spread(rows, row_grain(cols), [&](std::int64_t begin, std::int64_t end) {
      for (auto row = begin; row < end; ++row) kernels_.log_softmax(logits + row * cols, cols);
    });
  }

  void sum(const float* x, std::int64_t n, float* out) override { *out = kernels_.sum(x, n); }

  void scale(float* x, float factor, std::int64_t n) override {
    spread(n, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
      kernels_.scale(x + begin, factor, end - begin);
    });
  }

  void divide(float* x, float divisor, std::int64_t n) override {
    for (std::int64_t i = 0; i < n; ++i) x[i] /= divisor;
  }

  void add(float* x, const float* y, std::int64_t n) override {
    spread(n, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
      kernels_.add(x + begin, y + begin, end - begin);
    });
  }

  void grad_norm(const float* x, std::int64_t n, double* blocks, float* out) override {
    const auto count = (n + kNormBlock - 1) / kNormBlock;
    spread(count, 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto block = begin; block < end; ++block) {
        const auto at = block * kNormBlock;
        blocks[block] = kernels_.square_sum(x + at, std::min(kNormBlock, n - at));
      }
    });
    *out = static_cast<float>(std::sqrt(kernels_.sum_double(blocks, count)));
  }

  void clip(float* x, const float* norm, float max_norm, std::int64_t n) override {
    scale(x, clip_factor(*norm, max_norm), n);
  }

  void adamw(const AdamWScalars& scalars, const float* grad, float* param, float* exp_avg,
             float* exp_avg_sq, std::int64_t n) override {
    spread(n, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
      kernels_.adamw(scalars, grad + begin, param + begin, exp_avg + begin, exp_avg_sq + begin,
                     end - begin);
    });
  }

 private:
  static Gemm of_item(const Gemm& g, const Batch& batch, std::int64_t item) {
    const auto o = item / batch.inner, i = item % batch.inner;
    auto part = g;
    part.a += o * batch.a_outer + i * batch.a_inner;
    part.b += o * batch.b_outer + i / batch.b_group * batch.b_inner;
    part.c += o * batch.c_outer + i * batch.c_inner;
    return part;
  }

  const CpuKernels& kernels_;
  std::unique_ptr<float, Free> panels_ = make_panels();  ///< of B, of the product at hand
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(Isa isa) { return std::make_unique<CpuBackend>(isa); }

}  // namespace twinrun::trainer::portable
