// C = A B as one chain of FMAs over ascending k an element, on CUDA cores: a block of threads owns
// a tile of C and walks k in steps of kDepth, of which the next is on its way from memory while one
// is computed. Tiles, threads and depth change no chain; k is never split and never padded.

#include "trainer/ops/portable/gemm_cuda.cuh"

namespace twinrun::trainer::portable {
namespace {

constexpr int kThreads = 256;
constexpr int kPad = 4;  // floats between rows of a tile, so that columns spread over the banks

/// A tile of kRows x kCols elements of C, kTileRows x kTileCols of them a thread. kBlocks of them
/// on a multiprocessor leave each thread the registers that it needs.
template <int kRows_, int kCols_, int kTileRows_, int kTileCols_, int kDepth_, int kBlocks_>
struct TileShape {
  static constexpr int kRows = kRows_, kCols = kCols_, kDepth = kDepth_, kBlocks = kBlocks_;
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
__global__ void __launch_bounds__(kThreads, Shape::kBlocks)
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

  // What the runs of a chained product that have ended add up to. In shared memory, where a thread
  // comes once a run: in registers it would push out what the inner loop needs.
  extern __shared__ float totals[];
  const auto total = [&](int r, int q) -> float& {
    return totals[(r * kTileCols + q) * kThreads + static_cast<int>(threadIdx.x)];
  };
  const auto end_run = [&](bool first) {
#pragma unroll
    for (int r = 0; r < kTileRows; ++r) {
#pragma unroll
      for (int q = 0; q < kTileCols; ++q) {
        total(r, q) = first ? sum[r][q] : total(r, q) + sum[r][q];
        sum[r][q] = 0.0F;
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
    if constexpr (kKind == Kind::kChained) {
      if ((k0 + Shape::kDepth) % kChainSteps == 0 && k0 + Shape::kDepth < k) {
        end_run(k0 < kChainSteps);
      }
    }
  }
#pragma unroll
  for (int r = 0; r < kTileRows; ++r) {
    const int i = owned<kTileRows, Shape::kThreadRows>(ty, r);
    if (i >= rows) continue;
#pragma unroll
    for (int q = 0; q < kTileCols; ++q) {
      const int j = owned<kTileCols, Shape::kThreadCols>(tx, q);
      if (j >= cols) continue;
      const bool more = kKind == Kind::kChained && k > kChainSteps;
      c[i * c_row + j] = more ? total(r, q) + sum[r][q] : sum[r][q];
    }
  }
}

template <typename Shape, Kind kKind, bool kAAlongK, bool kBAlongK, bool kVector>
cudaError_t launch_built(const Gemm& g, const Batch& batch, cudaStream_t stream) {
  const auto tiles_m = static_cast<int>((g.m + Shape::kRows - 1) / Shape::kRows);
  const auto tiles_n = static_cast<int>((g.n + Shape::kCols - 1) / Shape::kCols);
  const dim3 grid(static_cast<unsigned>(tiles_m) * static_cast<unsigned>(tiles_n),
                  static_cast<unsigned>(batch.outer * batch.inner));
  if constexpr (kKind == Kind::kChained && !(kAAlongK && !kBAlongK)) {
    return cudaErrorInvalidValue;  // built where it is used: A B
  } else {
    const auto kernel = gemm_kernel<Shape, kAAlongK, kBAlongK, kVector, kKind>;
    std::size_t totals = 0;
    if constexpr (kKind == Kind::kChained) {
      totals = sizeof(float) * Shape::kRows * Shape::kCols;
      const auto error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                              static_cast<int>(totals));
      if (error != cudaSuccess) return error;
    }
    kernel<<<grid, kThreads, totals, stream>>>(g, batch, tiles_m, tiles_n);
    return cudaGetLastError();
  }
}

bool vector_reads(const float* data, std::int64_t stride, std::int64_t extent, std::int64_t outer,
                  std::int64_t inner) {
  return reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && stride % 4 == 0 && outer % 4 == 0 &&
         inner % 4 == 0 && (extent + 3) / 4 * 4 <= stride;
}

template <typename Shape, Kind kKind, bool kAAlongK, bool kBAlongK>
cudaError_t launch_vector(const Gemm& g, const Batch& batch, cudaStream_t stream) {
  // Four floats at once: the last ones of a row may lie beyond its end, in the row's own padding.
  const bool vector = vector_reads(g.a, kAAlongK ? g.a_row : g.a_k, kAAlongK ? g.k : g.m,
                                   batch.a_outer, batch.a_inner) &&
                      vector_reads(g.b, kBAlongK ? g.b_col : g.b_k, kBAlongK ? g.k : g.n,
                                   batch.b_outer, batch.b_inner);
  return vector ? launch_built<Shape, kKind, kAAlongK, kBAlongK, true>(g, batch, stream)
                : launch_built<Shape, kKind, kAAlongK, kBAlongK, false>(g, batch, stream);
}

/// `Turned` is the shape where B lies along k, so that its tile is turned on the way.
template <typename Shape, typename Turned, Kind kKind>
cudaError_t launch(const Gemm& g, const Batch& batch, cudaStream_t stream) {
  // Of a matrix of one column both strides may be 1: then either reading is right.
  const bool a_along_k = g.a_k == 1, b_along_k = g.b_k == 1 && g.b_col != 1;
  if (a_along_k && b_along_k) return launch_vector<Turned, kKind, true, true>(g, batch, stream);
  if (a_along_k) return launch_vector<Shape, kKind, true, false>(g, batch, stream);
  if (b_along_k) return launch_vector<Turned, kKind, false, true>(g, batch, stream);
  return launch_vector<Shape, kKind, false, false>(g, batch, stream);
}

template <typename Shape, Kind kKind>
cudaError_t launch(const Gemm& g, const Batch& batch, cudaStream_t stream) {
  return launch<Shape, Shape, kKind>(g, batch, stream);
}

// 128 sums a thread: more FMAs for each read of shared memory than the smaller tiles have.
using Huge = TileShape<128, 256, 8, 16, 8, 1>;
using HugeTurned = TileShape<256, 128, 16, 8, 8, 1>;
using Large = TileShape<128, 128, 8, 8, 8, 2>;
using Half = TileShape<128, 64, 8, 4, 16, 2>;
using Medium = TileShape<64, 64, 4, 4, 16, 2>;

}  // namespace

cudaError_t gemm_cuda(const Gemm& g, const Batch& batch, cudaStream_t stream) {
  const auto items = batch.outer * batch.inner;
  if (g.m == 0 || g.n == 0 || items == 0) return cudaSuccess;
  // Offsets within a tile are 32 bits wide.
  constexpr std::int64_t kSideMax = (std::int64_t{1} << 31) / 256;
  for (const auto side : {g.m, g.n, g.k, g.a_row, g.a_k, g.b_k, g.b_col, g.c_row}) {
    if (side > kSideMax) return cudaErrorInvalidValue;
  }
  if (items == 1 && fits_rank_kernel(g)) return gemm_rank_cuda(g, stream);
  // The largest tiles of which there is one a multiprocessor, or nearly.
  const auto fill = [&](std::int64_t rows, std::int64_t cols) {
    constexpr std::int64_t kTilesMin = 120;
    return g.m > rows / 2 && g.n > cols / 2 &&
           (g.m + rows - 1) / rows * ((g.n + cols - 1) / cols) * items >= kTilesMin;
  };
  if (g.chained) {
    return fill(Half::kRows, Half::kCols) ? launch<Half, Kind::kChained>(g, batch, stream)
                                          : launch<Medium, Kind::kChained>(g, batch, stream);
  }
  const bool is_large = fill(Large::kRows, Large::kCols);
  if (g.range == KRange::kUpTo || g.range == KRange::kFrom) {
    return is_large ? launch<Large, Kind::kRanged>(g, batch, stream)
                    : launch<Medium, Kind::kRanged>(g, batch, stream);
  }
  if (g.range == KRange::kAll && fill(256, 128) && fill(128, 256)) {
    return launch<Huge, HugeTurned, Kind::kPlain>(g, batch, stream);
  }
  if (is_large) return launch<Large, Kind::kPlain>(g, batch, stream);
  return fill(Half::kRows, Half::kCols) ? launch<Half, Kind::kPlain>(g, batch, stream)
                                        : launch<Medium, Kind::kPlain>(g, batch, stream);
}

}  // namespace twinrun::trainer::portable
