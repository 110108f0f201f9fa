// C = A B as one chain of FMAs over ascending k an element, on CUDA cores: a block of threads owns
// a tile of C and walks k in steps of kDepth, of which the next is on its way from memory while one
// is computed. Tiles, threads and depth change no chain; k is never split and never padded.

#include "trainer/ops/portable/gemm_cuda.cuh"

namespace twinrun::trainer::portable {
namespace {

constexpr int kThreads = 256;
constexpr int kPad = 4;  // floats between rows of a tile, so that columns spread over the banks

/// A tile of kRows x kCols elements of C, kTileRows x kTileCols of them a thread.
template <int kRows_, int kCols_, int kTileRows_, int kTileCols_, int kDepth_>
struct TileShape {
  static constexpr int kRows = kRows_, kCols = kCols_, kDepth = kDepth_;
  static constexpr int kTileRows = kTileRows_, kTileCols = kTileCols_;
  static constexpr int kThreadCols = kCols / kTileCols, kThreadRows = kRows / kTileRows;
  static_assert(kThreadCols * kThreadRows == kThreads);
};

/// How a tile of kExtent rows (or columns) by kDepth steps comes into shared memory,
/// [step][extent]. kAlongK: elements of one row lie side by side in k, so they are turned on the
/// way.
template <int kExtent, int kDepth, bool kAlongK, bool kVector>
class Loader {
  static constexpr int kWidth = kVector ? 4 : 1;
  static constexpr int kChunks = kExtent * kDepth / kWidth;
  static constexpr int kPerThread = (kChunks + kThreads - 1) / kThreads;
  static constexpr int kStride = kExtent + kPad;

 public:
  static constexpr int kFloats = kStride * kDepth;

  /// `stride` from row to row (kAlongK), or from step to step; `extent` and `depth` are what is
  /// left of the matrix here.
  __device__ void fetch(const float* from, int stride, int extent, int depth) {
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      const int chunk = static_cast<int>(threadIdx.x) + i * kThreads;
      const int row = kAlongK ? chunk / (kDepth / kWidth) : chunk % (kExtent / kWidth) * kWidth;
      const int step = kAlongK ? chunk % (kDepth / kWidth) * kWidth : chunk / (kExtent / kWidth);
      const bool inside =
          (kChunks % kThreads == 0 || chunk < kChunks) && row < extent && step < depth;
      const float* at = from + (kAlongK ? row * stride + step : step * stride + row);
      if constexpr (kVector) {
        const float4 zero = {0.0F, 0.0F, 0.0F, 0.0F};
        const float4 value = inside ? __ldg(reinterpret_cast<const float4*>(at)) : zero;
        held_[i * 4] = value.x;
        held_[i * 4 + 1] = value.y;
        held_[i * 4 + 2] = value.z;
        held_[i * 4 + 3] = value.w;
      } else {
        held_[i] = inside ? __ldg(at) : 0.0F;
      }
    }
  }

  __device__ void put(float* tile) const {
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      const int chunk = static_cast<int>(threadIdx.x) + i * kThreads;
      if (kChunks % kThreads != 0 && chunk >= kChunks) return;
      const int row = kAlongK ? chunk / (kDepth / kWidth) : chunk % (kExtent / kWidth) * kWidth;
      const int step = kAlongK ? chunk % (kDepth / kWidth) * kWidth : chunk / (kExtent / kWidth);
      if constexpr (kVector && !kAlongK) {
        *reinterpret_cast<float4*>(tile + step * kStride + row) = {
            held_[i * 4], held_[i * 4 + 1], held_[i * 4 + 2], held_[i * 4 + 3]};
      } else {
#pragma unroll
        for (int w = 0; w < kWidth; ++w) tile[(step + w) * kStride + row] = held_[i * kWidth + w];
      }
    }
  }

 private:
  float held_[kPerThread * kWidth];
};

/// Thread `index` of `threads` along one side owns kCount elements of it: groups of up to four
/// neighbours, so that a warp reads shared memory without conflicts.
template <int kCount, int kThreadsAlong>
__device__ constexpr int owned(int index, int element) {
  constexpr int kGroup = kCount < 4 ? kCount : 4;
  return element / kGroup * (kThreadsAlong * kGroup) + index * kGroup + element % kGroup;
}

template <int kCount, int kThreadsAlong>
__device__ void read_owned(const float* tile_row, int index, float (&out)[kCount]) {
  if constexpr (kCount % 4 == 0) {
#pragma unroll
    for (int e = 0; e < kCount; e += 4) {
      const float4 value =
          *reinterpret_cast<const float4*>(tile_row + owned<kCount, kThreadsAlong>(index, e));
      out[e] = value.x;
      out[e + 1] = value.y;
      out[e + 2] = value.z;
      out[e + 3] = value.w;
    }
  } else {
#pragma unroll
    for (int e = 0; e < kCount; ++e) out[e] = tile_row[owned<kCount, kThreadsAlong>(index, e)];
  }
}

enum class Kind { kPlain, kRanged, kChained };

template <typename Shape, bool kAAlongK, bool kBAlongK, bool kVector, Kind kKind>
__global__ void __launch_bounds__(kThreads, 2)
    gemm_kernel(Gemm g, Batch batch, int tiles_m, int tiles_n) {
  using LoadA = Loader<Shape::kRows, Shape::kDepth, kAAlongK, kVector>;
  using LoadB = Loader<Shape::kCols, Shape::kDepth, kBAlongK, kVector>;
  constexpr int kTileRows = Shape::kTileRows, kTileCols = Shape::kTileCols;
  constexpr bool kRanged = kKind == Kind::kRanged;
  __shared__ __align__(16) float tile_a[2][LoadA::kFloats];
  __shared__ __align__(16) float tile_b[2][LoadB::kFloats];

  // Bands of eight tile rows, so that tiles that run together share what they read.
  constexpr int kBand = 8;
  const int flat = static_cast<int>(blockIdx.x);
  const int band = flat / (kBand * tiles_n), in_band = flat % (kBand * tiles_n);
  const int band_rows = min(kBand, tiles_m - band * kBand);
  const int i0 = (band * kBand + in_band % band_rows) * Shape::kRows;
  const int j0 = in_band / band_rows * Shape::kCols;
  if (g.range == KRange::kOutLower && j0 > i0 + Shape::kRows - 1) return;

  const std::int64_t o = blockIdx.y / batch.inner, in = blockIdx.y % batch.inner;
  const float* a = g.a + o * batch.a_outer + in * batch.a_inner + i0 * g.a_row;
  const float* b = g.b + o * batch.b_outer + in / batch.b_group * batch.b_inner + j0 * g.b_col;
  float* c = g.c + o * batch.c_outer + in * batch.c_inner + i0 * g.c_row + j0;
  const int rows = static_cast<int>(g.m) - i0, cols = static_cast<int>(g.n) - j0;
  const int k = static_cast<int>(g.k), c_row = static_cast<int>(g.c_row);
  const int a_stride = static_cast<int>(kAAlongK ? g.a_row : g.a_k);
  const int b_stride = static_cast<int>(kBAlongK ? g.b_col : g.b_k);

  int k_begin = 0, k_end = k;
  if (kRanged && g.range == KRange::kFrom) k_begin = i0 / Shape::kDepth * Shape::kDepth;
  if (kRanged && g.range == KRange::kUpTo) k_end = min(k, i0 + Shape::kRows);
  const int tx = static_cast<int>(threadIdx.x) % Shape::kThreadCols;
  const int ty = static_cast<int>(threadIdx.x) / Shape::kThreadCols;

  float sum[kTileRows][kTileCols];
#pragma unroll
  for (int r = 0; r < kTileRows; ++r) {
#pragma unroll
    for (int q = 0; q < kTileCols; ++q) {
      const int i = owned<kTileRows, Shape::kThreadRows>(ty, r);
      const int j = owned<kTileCols, Shape::kThreadCols>(tx, q);
      sum[r][q] = g.accumulate && i < rows && j < cols ? c[i * c_row + j] : 0.0F;
    }
  }

  // Sums become elements of C: `add` to what is there.
  const auto put = [&](bool add) {
#pragma unroll
    for (int r = 0; r < kTileRows; ++r) {
      const int i = owned<kTileRows, Shape::kThreadRows>(ty, r);
      if (i >= rows) continue;
#pragma unroll
      for (int q = 0; q < kTileCols; ++q) {
        const int j = owned<kTileCols, Shape::kThreadCols>(tx, q);
        if (j < cols) c[i * c_row + j] = add ? c[i * c_row + j] + sum[r][q] : sum[r][q];
      }
    }
  };

  LoadA load_a;
  LoadB load_b;
  a += k_begin * g.a_k;
  b += k_begin * g.b_k;
  load_a.fetch(a, a_stride, rows, k - k_begin);
  load_b.fetch(b, b_stride, cols, k - k_begin);
  int stage = 0;
  for (int k0 = k_begin; k0 < k_end; k0 += Shape::kDepth, stage ^= 1) {
    load_a.put(tile_a[stage]);
    load_b.put(tile_b[stage]);
    __syncthreads();
    if (k0 + Shape::kDepth < k_end) {
      a += Shape::kDepth * g.a_k;
      b += Shape::kDepth * g.b_k;
      load_a.fetch(a, a_stride, rows, k - k0 - Shape::kDepth);
      load_b.fetch(b, b_stride, cols, k - k0 - Shape::kDepth);
    }
    const auto step = [&](int p, bool masked) {
      float left[kTileRows], right[kTileCols];
      read_owned<kTileRows, Shape::kThreadRows>(tile_a[stage] + p * (Shape::kRows + kPad), ty,
                                                left);
      read_owned<kTileCols, Shape::kThreadCols>(tile_b[stage] + p * (Shape::kCols + kPad), tx,
                                                right);
#pragma unroll
      for (int r = 0; r < kTileRows; ++r) {
        const int i = i0 + owned<kTileRows, Shape::kThreadRows>(ty, r);
        const bool taken = !masked || (g.range == KRange::kUpTo ? k0 + p <= i : k0 + p >= i);
#pragma unroll
        for (int q = 0; q < kTileCols; ++q) {
          const float value = __fmaf_rn(left[r], right[q], sum[r][q]);
          sum[r][q] = taken ? value : sum[r][q];
        }
      }
    };
    const int left_k = k - k0;
    const bool diagonal = kRanged && (g.range == KRange::kUpTo ? k0 + Shape::kDepth - 1 > i0
                                                               : k0 < i0 + Shape::kRows - 1);
    if (kRanged && diagonal) {
      for (int p = 0; p < min(Shape::kDepth, left_k); ++p) step(p, true);
    } else if (left_k >= Shape::kDepth) {
#pragma unroll
      for (int p = 0; p < Shape::kDepth; ++p) step(p, false);
    } else {
      for (int p = 0; p < left_k; ++p) step(p, false);
    }
    if (kKind == Kind::kChained && (k0 + Shape::kDepth) % kChainSteps == 0 &&
        k0 + Shape::kDepth < k) {
      put(k0 >= kChainSteps);
#pragma unroll
      for (int r = 0; r < kTileRows; ++r) {
#pragma unroll
        for (int q = 0; q < kTileCols; ++q) sum[r][q] = 0.0F;
      }
    }
  }
  put(kKind == Kind::kChained && k > kChainSteps);
}

template <typename Shape, bool kAAlongK, bool kBAlongK, bool kVector>
cudaError_t launch_kind(const Gemm& g, const Batch& batch, cudaStream_t stream) {
  const auto tiles_m = static_cast<int>((g.m + Shape::kRows - 1) / Shape::kRows);
  const auto tiles_n = static_cast<int>((g.n + Shape::kCols - 1) / Shape::kCols);
  const dim3 grid(static_cast<unsigned>(tiles_m) * static_cast<unsigned>(tiles_n),
                  static_cast<unsigned>(batch.outer * batch.inner));
  const auto run = [&](auto kernel) {
    kernel<<<grid, kThreads, 0, stream>>>(g, batch, tiles_m, tiles_n);
    return cudaGetLastError();
  };
  if (g.chained) {
    // Built where it is used: A B.
    if constexpr (kAAlongK && !kBAlongK) {
      return run(gemm_kernel<Shape, kAAlongK, kBAlongK, kVector, Kind::kChained>);
    }
    return cudaErrorInvalidValue;
  }
  if (g.range == KRange::kUpTo || g.range == KRange::kFrom) {
    return run(gemm_kernel<Shape, kAAlongK, kBAlongK, kVector, Kind::kRanged>);
  }
  return run(gemm_kernel<Shape, kAAlongK, kBAlongK, kVector, Kind::kPlain>);
}

bool vector_reads(const float* data, std::int64_t stride, std::int64_t extent, std::int64_t outer,
                  std::int64_t inner) {
  return reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && stride % 4 == 0 && outer % 4 == 0 &&
         inner % 4 == 0 && (extent + 3) / 4 * 4 <= stride;
}

template <typename Shape, bool kAAlongK, bool kBAlongK>
cudaError_t launch_vector(const Gemm& g, const Batch& batch, cudaStream_t stream) {
  // Four floats at once: the last ones of a row may lie beyond its end, in the row's own padding.
  const bool vector = vector_reads(g.a, kAAlongK ? g.a_row : g.a_k, kAAlongK ? g.k : g.m,
                                   batch.a_outer, batch.a_inner) &&
                      vector_reads(g.b, kBAlongK ? g.b_col : g.b_k, kBAlongK ? g.k : g.n,
                                   batch.b_outer, batch.b_inner);
  return vector ? launch_kind<Shape, kAAlongK, kBAlongK, true>(g, batch, stream)
                : launch_kind<Shape, kAAlongK, kBAlongK, false>(g, batch, stream);
}

template <typename Shape>
cudaError_t launch(const Gemm& g, const Batch& batch, cudaStream_t stream) {
  // Of a matrix of one column both strides may be 1: then either reading is right.
  const bool a_along_k = g.a_k == 1, b_along_k = g.b_k == 1 && g.b_col != 1;
  if (a_along_k && b_along_k) return launch_vector<Shape, true, true>(g, batch, stream);
  if (a_along_k) return launch_vector<Shape, true, false>(g, batch, stream);
  if (b_along_k) return launch_vector<Shape, false, true>(g, batch, stream);
  return launch_vector<Shape, false, false>(g, batch, stream);
}

using Large = TileShape<128, 128, 8, 8, 8>;
using Medium = TileShape<64, 64, 4, 4, 16>;
// Rank of LoRA by many: little to compute and a long k, so the steps on the way hide the memory.
using Tall = TileShape<64, 16, 4, 1, 64>;
using Wide = TileShape<16, 64, 1, 4, 64>;

}  // namespace

cudaError_t gemm_cuda(const Gemm& g, const Batch& batch, cudaStream_t stream) {
  if (g.m == 0 || g.n == 0 || batch.outer * batch.inner == 0) return cudaSuccess;
  // Offsets within a tile are 32 bits wide.
  constexpr std::int64_t kSideMax = (std::int64_t{1} << 31) / 256;
  for (const auto side : {g.m, g.n, g.k, g.a_row, g.a_k, g.b_k, g.b_col, g.c_row}) {
    if (side > kSideMax) return cudaErrorInvalidValue;
  }
  if (g.n <= 16) return launch<Tall>(g, batch, stream);
  if (g.m <= 16) return launch<Wide>(g, batch, stream);
  // A tile a multiprocessor at least, or the smaller tiles keep more of them busy.
  constexpr std::int64_t kTilesMin = 132;
  const auto tiles = (g.m + 127) / 128 * ((g.n + 127) / 128) * batch.outer * batch.inner;
  return tiles >= kTilesMin && g.m > 64 && g.n > 64 ? launch<Large>(g, batch, stream)
                                                    : launch<Medium>(g, batch, stream);
}

}  // namespace twinrun::trainer::portable
