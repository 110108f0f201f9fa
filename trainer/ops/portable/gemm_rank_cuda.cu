// The products in which one side is a rank of LoRA, 8 or 16 beside thousands, where the tiles of
// gemm_cuda.cu would leave most multiprocessors without work. Each element is the same one chain of
// FMAs over ascending k.

#include <cuda_pipeline_primitives.h>

#include "trainer/ops/portable/gemm_cuda.cuh"

namespace twinrun::trainer::portable {
namespace {

constexpr int kRankMax = 16;

/// C(many, few) over a long k. `many` rows of `left`, `few` of `right`, each along k or across it.
struct Thin {
  const float *left, *right;
  float* c;
  int many, few, k;
  int left_stride, right_stride;  ///< from row to row (along k), or from step to step
  int c_many, c_few;              ///< strides of C
  bool accumulate;
};

constexpr int kThinRows = 16;   // of `many`, a block
constexpr int kThinDepth = 64;  // steps of k a stage
constexpr int kThinStages = 4;  // on their way from memory; a power of two
constexpr int kThinThreads = 64;
constexpr int kThinChains = 4;  // a thread: kRankMax / kThinChains threads share a row

/// One side of a stage: 16 rows by kThinDepth steps.
template <bool kAlongK>
class ThinSide {
 public:
  static_assert(kThinRows == kRankMax);
  static constexpr int kStride = kAlongK ? kThinDepth + 4 : kThinRows;
  static constexpr int kFloats = kStride * (kAlongK ? kThinRows : kThinDepth);

  static constexpr int kChunks = kThinRows * kThinDepth / 4 / kThinThreads;

  /// What this thread copies of every stage, worked out once: with two warps a multiprocessor its
  /// arithmetic would take longer than the chains. `rows` are what is left of the matrix. A
  /// multiple of four of what lies side by side exists.
  __device__ ThinSide(const float* from, int stride, int rows)
      : next_(static_cast<std::int64_t>(kThinDepth) * (kAlongK ? 1 : stride)) {
    constexpr int kInner = kAlongK ? kThinDepth : kThinRows;
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      const int chunk = static_cast<int>(threadIdx.x) + i * kThinThreads;
      const int outer = chunk / (kInner / 4), inner = chunk % (kInner / 4) * 4;
      from_[i] = from + static_cast<std::int64_t>(outer) * stride + inner;
      to_[i] = outer * kStride + inner;
      // Rows that do not exist have no step either.
      first_step_[i] = (kAlongK ? outer : inner) >= rows ? kNever : kAlongK ? inner : outer;
    }
  }

  /// Queues the copy of the next stage, of which `depth` steps exist.
  __device__ void fetch(float* tile, int depth) {
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      if (first_step_[i] < depth) __pipeline_memcpy_async(tile + to_[i], from_[i], 16);
      from_[i] += next_;
    }
  }

  __device__ static float at(const float* tile, int row, int step) {
    return kAlongK ? tile[row * kStride + step] : tile[step * kStride + row];
  }

  /// Four steps of one row.
  __device__ static void read(const float* tile, int row, int step, float (&out)[4]) {
    if constexpr (kAlongK) {
      const float4 value = *reinterpret_cast<const float4*>(tile + row * kStride + step);
      out[0] = value.x, out[1] = value.y, out[2] = value.z, out[3] = value.w;
    } else {
#pragma unroll
      for (int s = 0; s < 4; ++s) out[s] = tile[(step + s) * kStride + row];
    }
  }

 private:
  static constexpr int kNever = 0x7FFFFFFF;
  std::int64_t next_;
  const float* from_[kChunks];
  int to_[kChunks], first_step_[kChunks];
};

/// Chain `chain` of thread `slot` within a row: the reads of a warp shall not meet in a bank.
template <bool kRightAlongK>
__device__ constexpr int thin_column(int slot, int chain) {
  return kRightAlongK ? slot + kThinChains * chain : kThinChains * slot + chain;
}

template <bool kLeftAlongK, bool kRightAlongK>
__global__ void __launch_bounds__(kThinThreads) thin_kernel(Thin t) {
  using Left = ThinSide<kLeftAlongK>;
  using Right = ThinSide<kRightAlongK>;
  __shared__ __align__(16) float left[kThinStages][Left::kFloats];
  __shared__ __align__(16) float right[kThinStages][Right::kFloats];
  const int row0 = static_cast<int>(blockIdx.x) * kThinRows;
  const int row = static_cast<int>(threadIdx.x) / kThinChains;
  const int slot = static_cast<int>(threadIdx.x) % kThinChains;
  const int rows = t.many - row0;
  Left fetch_left(t.left + static_cast<std::int64_t>(row0) * (kLeftAlongK ? t.left_stride : 1),
                  t.left_stride, rows);
  Right fetch_right(t.right, t.right_stride, t.few);
  float* c = t.c + static_cast<std::int64_t>(row0 + row) * t.c_many;

  float sum[kThinChains];
#pragma unroll
  for (int i = 0; i < kThinChains; ++i) {
    const int column = thin_column<kRightAlongK>(slot, i);
    sum[i] = t.accumulate && row < rows && column < t.few ? c[column * t.c_few] : 0.0F;
  }
  const auto fetch = [&](int stage, int begin) {
    fetch_left.fetch(left[stage], t.k - begin);
    fetch_right.fetch(right[stage], t.k - begin);
    __pipeline_commit();  // also of nothing: the wait counts them
  };
#pragma unroll
  for (int s = 0; s < kThinStages - 1; ++s) fetch(s, s * kThinDepth);
  int stage = 0;
  for (int begin = 0; begin < t.k; begin += kThinDepth, stage = (stage + 1) & (kThinStages - 1)) {
    __pipeline_wait_prior(kThinStages - 2);
    __syncthreads();
    fetch((stage + kThinStages - 1) & (kThinStages - 1), begin + (kThinStages - 1) * kThinDepth);
    const float* l = left[stage];
    const float* r = right[stage];
    const auto quad = [&](int k) {
      float a[4], b[kThinChains][4];
      Left::read(l, row, k, a);
      if constexpr (kRightAlongK) {
#pragma unroll
        for (int i = 0; i < kThinChains; ++i) Right::read(r, thin_column<true>(slot, i), k, b[i]);
      } else {
#pragma unroll
        for (int s = 0; s < 4; ++s) {
          const float4 value = *reinterpret_cast<const float4*>(r + (k + s) * Right::kStride +
                                                                thin_column<false>(slot, 0));
          b[0][s] = value.x, b[1][s] = value.y, b[2][s] = value.z, b[3][s] = value.w;
        }
      }
#pragma unroll
      for (int s = 0; s < 4; ++s) {
#pragma unroll
        for (int i = 0; i < kThinChains; ++i) sum[i] = __fmaf_rn(a[s], b[i][s], sum[i]);
      }
    };
    const int count = t.k - begin;
    if (count >= kThinDepth) {
      // Unrolled, so that reads run ahead of the chains, which wait for nothing but themselves.
#pragma unroll
      for (int k = 0; k < kThinDepth; k += 4) quad(k);
      continue;
    }
    int k = 0;
    for (; k + 4 <= count; k += 4) quad(k);
    for (; k < count; ++k) {
      const float a = Left::at(l, row, k);
#pragma unroll
      for (int i = 0; i < kThinChains; ++i) {
        sum[i] = __fmaf_rn(a, Right::at(r, thin_column<kRightAlongK>(slot, i), k), sum[i]);
      }
    }
  }
  if (row >= rows) return;
#pragma unroll
  for (int i = 0; i < kThinChains; ++i) {
    const int column = thin_column<kRightAlongK>(slot, i);
    if (column < t.few) c[column * t.c_few] = sum[i];
  }
}

template <bool kLeftAlongK, bool kRightAlongK>
cudaError_t launch_thin(const Thin& t, cudaStream_t stream) {
  const auto grid = static_cast<unsigned>((t.many + kThinRows - 1) / kThinRows);
  thin_kernel<kLeftAlongK, kRightAlongK><<<grid, kThinThreads, 0, stream>>>(t);
  return cudaGetLastError();
}

cudaError_t thin(const Thin& t, bool left_along_k, bool right_along_k, cudaStream_t stream) {
  if (left_along_k) {
    return right_along_k ? launch_thin<true, true>(t, stream) : launch_thin<true, false>(t, stream);
  }
  return right_along_k ? launch_thin<false, true>(t, stream) : launch_thin<false, false>(t, stream);
}

constexpr int kFlatThreads = 256;
constexpr int kFlatCols = 128, kFlatRows = 64;  // a block; four neighbours a thread
constexpr int kFlatRowsPerThread = kFlatRows / (kFlatThreads / (kFlatCols / 4));

/// C over a k of kK steps: a thread keeps its four columns of B, and reads and writes C by four.
template <int kK, bool kBAlongK>
__global__ void __launch_bounds__(kFlatThreads, 2) flat_kernel(Gemm g) {
  constexpr int kStride = kFlatCols + 4;
  __shared__ __align__(16) float left[kFlatRows][kK];
  __shared__ __align__(16) float turned[kBAlongK ? kK * kStride : 4];
  const int i0 = static_cast<int>(blockIdx.y) * kFlatRows;
  const int rows = static_cast<int>(g.m) - i0;
  for (int at = static_cast<int>(threadIdx.x); at < kFlatRows * kK; at += kFlatThreads) {
    const int i = at / kK, k = at % kK;
    left[i][k] = i < rows ? __ldg(g.a + (i0 + i) * g.a_row + k) : 0.0F;
  }
  const auto four = [](const float* from) { return __ldg(reinterpret_cast<const float4*>(from)); };
  const int j0 = static_cast<int>(blockIdx.x) * kFlatCols;
  if constexpr (kBAlongK) {
    for (int at = static_cast<int>(threadIdx.x); at < kFlatCols * kK / 4; at += kFlatThreads) {
      const int j = at / (kK / 4), k = at % (kK / 4) * 4;
      if (j0 + j >= g.n) break;
      const float4 value = four(g.b + (j0 + j) * g.b_col + k);
      turned[k * kStride + j] = value.x, turned[(k + 1) * kStride + j] = value.y;
      turned[(k + 2) * kStride + j] = value.z, turned[(k + 3) * kStride + j] = value.w;
    }
  }
  __syncthreads();
  const int column = static_cast<int>(threadIdx.x) % (kFlatCols / 4) * 4, j = j0 + column;
  const int first = static_cast<int>(threadIdx.x) / (kFlatCols / 4);
  constexpr int kNext = kFlatRows / kFlatRowsPerThread;
  if (j >= g.n) return;

  float right[4][kK];
#pragma unroll
  for (int k = 0; k < kK; ++k) {
    const float4 value = kBAlongK ? *reinterpret_cast<const float4*>(turned + k * kStride + column)
                                  : four(g.b + k * g.b_k + j);
    right[0][k] = value.x, right[1][k] = value.y, right[2][k] = value.z, right[3][k] = value.w;
  }
  float4* c = reinterpret_cast<float4*>(g.c + (i0 + first) * g.c_row + j);
  const auto c_next = kNext * g.c_row / 4;
  float4 held[kFlatRowsPerThread];
#pragma unroll
  for (int r = 0; r < kFlatRowsPerThread; ++r) {
    const bool taken = g.accumulate && first + r * kNext < rows;
    held[r] = taken ? c[r * c_next] : float4{0.0F, 0.0F, 0.0F, 0.0F};
  }
#pragma unroll
  for (int r = 0; r < kFlatRowsPerThread; ++r) {
    const int i = first + r * kNext;
    float4 sum = held[r];
#pragma unroll
    for (int k = 0; k < kK; ++k) {
      const float a = left[i][k];
      sum.x = __fmaf_rn(a, right[0][k], sum.x);
      sum.y = __fmaf_rn(a, right[1][k], sum.y);
      sum.z = __fmaf_rn(a, right[2][k], sum.z);
      sum.w = __fmaf_rn(a, right[3][k], sum.w);
    }
    if (i < rows) c[r * c_next] = sum;
  }
}

cudaError_t flat(const Gemm& g, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((g.n + kFlatCols - 1) / kFlatCols),
                  static_cast<unsigned>((g.m + kFlatRows - 1) / kFlatRows));
  const bool b_along_k = g.b_k == 1;
  const auto run = [&](auto kernel) {
    kernel<<<grid, kFlatThreads, 0, stream>>>(g);
    return cudaGetLastError();
  };
  if (g.k == 8) return b_along_k ? run(flat_kernel<8, true>) : run(flat_kernel<8, false>);
  return b_along_k ? run(flat_kernel<16, true>) : run(flat_kernel<16, false>);
}

bool is_rank(std::int64_t side) { return side == 8 || side == kRankMax; }

/// A matrix whose rows of `extent` elements, `stride` apart, come by four.
bool by_four(const float* data, std::int64_t stride, std::int64_t extent) {
  return reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && stride % 4 == 0 && extent % 4 == 0;
}

bool a_by_four(const Gemm& g) {
  return g.a_k == 1 ? by_four(g.a, g.a_row, g.k) : by_four(g.a, g.a_k, g.m);
}

bool b_by_four(const Gemm& g) {
  return g.b_k == 1 ? by_four(g.b, g.b_col, g.k) : by_four(g.b, g.b_k, g.n);
}

bool is_flat(const Gemm& g) {
  return is_rank(g.k) && g.m > kRankMax && g.n > kRankMax && g.a_k == 1 && b_by_four(g) &&
         by_four(g.c, g.c_row, g.n) && g.m <= std::int64_t{kFlatRows} * 65535;
}

bool is_thin(const Gemm& g) {
  return is_rank(g.n < g.m ? g.n : g.m) && a_by_four(g) && b_by_four(g);
}

}  // namespace

bool fits_rank_kernel(const Gemm& g) {
  return g.range == KRange::kAll && !g.chained && (is_flat(g) || is_thin(g));
}

cudaError_t gemm_rank_cuda(const Gemm& g, cudaStream_t stream) {
  if (is_flat(g)) return flat(g, stream);
  const bool a_along_k = g.a_k == 1, b_along_k = g.b_k == 1;
  const auto a_stride = static_cast<int>(a_along_k ? g.a_row : g.a_k);
  const auto b_stride = static_cast<int>(b_along_k ? g.b_col : g.b_k);
  Thin t{.left = g.a, .right = g.b, .c = g.c};
  t.k = static_cast<int>(g.k);
  t.accumulate = g.accumulate;
  if (g.n < g.m) {
    t.many = static_cast<int>(g.m), t.few = static_cast<int>(g.n);
    t.left_stride = a_stride, t.right_stride = b_stride;
    t.c_many = static_cast<int>(g.c_row), t.c_few = 1;
    return thin(t, a_along_k, b_along_k, stream);
  }
  // C transposed: an FMA has the same bits with its factors exchanged.
  t.left = g.b, t.right = g.a;
  t.many = static_cast<int>(g.n), t.few = static_cast<int>(g.m);
  t.left_stride = b_stride, t.right_stride = a_stride;
  t.c_many = 1, t.c_few = static_cast<int>(g.c_row);
  return thin(t, b_along_k, a_along_k, stream);
}

}  // namespace twinrun::trainer::portable
