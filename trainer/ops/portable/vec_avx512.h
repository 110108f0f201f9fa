#pragma once

#include <immintrin.h>

#include <cstdint>

namespace twinrun::trainer::portable::avx512 {

constexpr const char* kName = "avx512";
constexpr int kLanes = 16, kPanelRows = 14, kPanelVecs = 2;

using Vec = __m512;
inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
inline Vec broadcast(float x) { return _mm512_set1_ps(x); }
inline Vec zero() { return _mm512_setzero_ps(); }
inline Vec fma_vec(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }

/// out[p out_row + l] = in[l in_row + p] for p < 16 and l < width <= 16; rows from `count` on count
/// as zero and are not read.
inline void transpose_16(const float* in, std::int64_t in_row, std::int64_t count, int width,
                         float* out, std::int64_t out_row) {
  Vec x[16], y[16];
  for (int l = 0; l < 16; ++l) x[l] = l < count ? load(in + l * in_row) : zero();
  for (int l = 0; l < 16; l += 2) {
    y[l] = _mm512_unpacklo_ps(x[l], x[l + 1]);
    y[l + 1] = _mm512_unpackhi_ps(x[l], x[l + 1]);
  }
  const auto pairs = [](Vec a, Vec b, bool high) {
    const auto low_pd = _mm512_castps_pd(a), high_pd = _mm512_castps_pd(b);
    return _mm512_castpd_ps(high ? _mm512_unpackhi_pd(low_pd, high_pd)
                                 : _mm512_unpacklo_pd(low_pd, high_pd));
  };
  for (int l = 0; l < 16; l += 4) {
    for (int q = 0; q < 4; ++q) x[l + q] = pairs(y[l + q / 2], y[l + 2 + q / 2], q % 2 == 1);
  }
  // Quarter h of x[l + q] now holds column 4 h + q of rows l .. l + 3.
  constexpr int kEven = 0x88, kOdd = 0xdd;  // quarters 0 and 2, or 1 and 3, of both
  const auto mask = static_cast<__mmask16>((1U << width) - 1);
  const auto put = [&](int p, Vec v) { _mm512_mask_storeu_ps(out + p * out_row, mask, v); };
  for (int q = 0; q < 4; ++q) {
    const Vec even_low = _mm512_shuffle_f32x4(x[q], x[4 + q], kEven);
    const Vec even_high = _mm512_shuffle_f32x4(x[8 + q], x[12 + q], kEven);
    const Vec odd_low = _mm512_shuffle_f32x4(x[q], x[4 + q], kOdd);
    const Vec odd_high = _mm512_shuffle_f32x4(x[8 + q], x[12 + q], kOdd);
    put(q, _mm512_shuffle_f32x4(even_low, even_high, kEven));
    put(4 + q, _mm512_shuffle_f32x4(odd_low, odd_high, kEven));
    put(8 + q, _mm512_shuffle_f32x4(even_low, even_high, kOdd));
    put(12 + q, _mm512_shuffle_f32x4(odd_low, odd_high, kOdd));
  }
}

}  // namespace twinrun::trainer::portable::avx512
