#pragma once

#include <immintrin.h>

namespace twinrun::trainer::portable::avx2 {

constexpr const char* kName = "avx2";
constexpr int kLanes = 8, kPanelRows = 6, kPanelVecs = 2;

using Vec = __m256;
inline Vec load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
inline Vec broadcast(float x) { return _mm256_set1_ps(x); }
inline Vec zero() { return _mm256_setzero_ps(); }
inline Vec fma_vec(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }

}  // namespace twinrun::trainer::portable::avx2
