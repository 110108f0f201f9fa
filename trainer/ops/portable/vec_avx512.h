#pragma once

#include <immintrin.h>

namespace twinrun::trainer::portable::avx512 {

constexpr const char* kName = "avx512";
constexpr int kLanes = 16, kPanelRows = 14, kPanelVecs = 2;

using Vec = __m512;
inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
inline Vec broadcast(float x) { return _mm512_set1_ps(x); }
inline Vec zero() { return _mm512_setzero_ps(); }
inline Vec fma_vec(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }

}  // namespace twinrun::trainer::portable::avx512
