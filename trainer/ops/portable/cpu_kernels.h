#pragma once

#include <cstdint>

#include "trainer/ops/portable/isa.h"

namespace twinrun::trainer::portable {

/// Which part of the k range row i of a product takes: causal attention leaves terms out, it does
/// not multiply them by zero.
enum class KRange {
  kAll,       ///< every k
  kUpTo,      ///< k <= i
  kFrom,      ///< k >= i
  kOutLower,  ///< every k; elements of C above the diagonal (j > i) may be left as they were
};

/// Steps of k in one chain of a chained product.
inline constexpr std::int64_t kChainSteps = 256;

/// C[i, j] = chain over ascending k of fma(A(i, k), B(k, j), c), from C[i, j] if `accumulate`, else
/// from +0. The strides say where an element lies, so one description serves A B, A B^T and A^T B.
struct Gemm {
  std::int64_t m = 0, n = 0, k = 0;
  const float* a = nullptr;
  std::int64_t a_row = 0, a_k = 1;  ///< A(i, k) = a[i a_row + k a_k]; one of the two is 1
  const float* b = nullptr;
  std::int64_t b_k = 0, b_col = 1;  ///< B(k, j) = b[k b_k + j b_col]; one of the two is 1
  float* c = nullptr;
  std::int64_t c_row = 0;  ///< C[i, j] = c[i c_row + j]
  bool accumulate = false;
  KRange range = KRange::kAll;
  /// k in chains of kChainSteps, each from +0, their sums added in order: what many small terms
  /// bring is not lost beside a large one. Without `accumulate` and `range`.
  bool chained = false;
};

/// A product goes through B in blocks of at most this many steps of k and columns.
inline constexpr std::int64_t kGemmBlockK = 1024, kGemmBlockCols = 1024;

/// What the threads of one product share. Each packs a part of a block of B, then all wait, then
/// each takes tiles of C as long as there are any: which thread computes a tile changes no bit.
struct GemmTeam {
  std::int64_t threads = 1;
  float* b[2] = {};              ///< each room for a block, at a multiple of 64 bytes
  std::int64_t* next = nullptr;  ///< gemm_counters() zeros: what of a block is taken already
  void (*barrier)() = nullptr;   ///< of all threads of the team
};

/// Counters that a team needs for `gemm`.
std::int64_t gemm_counters(const Gemm& gemm);

struct AdamWScalars;

/// Elements that one block of the gradient norm sums.
inline constexpr std::int64_t kNormBlock = 4096;

/// The loops of the portable op set for one instruction set, each over contiguous rows of `cols`
/// elements in the storage type float. Rows are independent of each other, so that the caller
/// spreads them over threads as it likes. docs/numerics.md, "Portable", has every order.
struct CpuKernels {
  const char* name;  ///< avx512, avx2, plain

  /// On the calling thread, or together with the other threads of `team`, all of which call it.
  void (*gemm)(const Gemm& gemm, GemmTeam* team);

  void (*rms_norm)(const float* x, const float* weight, float eps, float* y, float* rstd,
                   std::int64_t rows, std::int64_t cols);
  void (*rms_norm_backward)(const float* dy, const float* x, const float* rstd, const float* weight,
                            float* dx, std::int64_t rows, std::int64_t cols);

  /// One head of one position: `half` pairs (x[i], x[half + i]). `sign` is -1 for the backward.
  void (*rope)(const float* x, const float* cos, const float* sin, float sign, float* y,
               std::int64_t half);

  /// Row `row` of causal scores (columns 0 .. row) in place: p = softmax(scale s).
  void (*softmax)(float* s, float scale, std::int64_t row);
  /// dp becomes ds = (p (dp - delta)) scale for columns 0 .. row.
  void (*softmax_backward)(const float* p, float* dp, float delta, float scale, std::int64_t row);
  /// sum of a[i] b[i]: 32 lanes of FMA chains, then the tree.
  float (*dot)(const float* a, const float* b, std::int64_t n);
  /// sum of a[i]: 32 lanes of chains, then the tree.
  float (*sum)(const float* a, std::int64_t n);

  void (*swiglu)(const float* gate, const float* up, float* y, std::int64_t n);
  void (*swiglu_backward)(const float* dy, const float* gate, const float* up, float* dgate,
                          float* dup, std::int64_t n);

  /// Logits of one labelled position become the gradient of its loss x grad_scale; returns the
  /// loss.
  float (*cross_entropy)(float* logits, std::int64_t label, float grad_scale, std::int64_t cols);

  /// Logits of one position become log-probabilities.
  void (*log_softmax)(float* logits, std::int64_t cols);

  void (*scale)(float* x, float factor, std::int64_t n);  ///< x *= factor
  void (*add)(float* x, const float* y, std::int64_t n);  ///< x += y
  /// Sum of squares in double of at most kNormBlock elements, and of block sums: lanes and tree.
  double (*square_sum)(const float* x, std::int64_t n);
  double (*sum_double)(const double* x, std::int64_t n);
  void (*adamw)(const AdamWScalars& scalars, const float* grad, float* param, float* exp_avg,
                float* exp_avg_sq, std::int64_t n);
};

/// The kernels of `isa`; kAuto is the best this CPU has. Throws std::invalid_argument if the CPU
/// lacks what `isa` needs.
const CpuKernels& cpu_kernels(Isa isa);

}  // namespace twinrun::trainer::portable
